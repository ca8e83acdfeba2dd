"""CT phantoms: CatPhan, ACR 464, water."""
