"""Real mail servers, run privately for the tests. `README.md` beside this package says which."""
