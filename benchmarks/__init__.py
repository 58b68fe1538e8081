"""Speed and quality of the zoo, measured; each module's docstring has its command."""
