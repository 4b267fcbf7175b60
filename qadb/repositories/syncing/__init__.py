"""A product's features, stories and tests made to match what another system lists."""
