"""The pages, a module each. Each function answers one address; what it reads is bounded, whatever the database holds."""
