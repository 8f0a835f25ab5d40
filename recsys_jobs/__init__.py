"""The torch side of the nightly recommender: images, embeddings, models, evaluation, top-K."""
