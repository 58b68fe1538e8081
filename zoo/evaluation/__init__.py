"""What a trained model does: predictions, reconstructions, latent codes, word embeddings, insides."""
