"""The layers that both networks are made of."""
