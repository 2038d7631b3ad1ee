"""A cluster under constant load while its parts are killed, restarted and given new policies: `make soak`."""
