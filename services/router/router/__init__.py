"""A chat model without a language model in it: embeddings choose tools, rules fill their arguments."""
