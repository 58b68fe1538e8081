"""Evaluation of trained models: predictions, reconstructions, latent codes, embeddings, layers."""
