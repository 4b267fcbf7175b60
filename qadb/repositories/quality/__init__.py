"""What is known of the code: coverage, analyses, weaknesses, why tests fail."""
