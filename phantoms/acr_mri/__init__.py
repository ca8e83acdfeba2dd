"""The ACR MRI phantom, large and medium."""
