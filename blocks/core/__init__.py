"""What every step stands on: schema with meaning, policy and masks, batches as elements, rejects, errors."""
