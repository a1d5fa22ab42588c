"""Stand in for the providers, offline: strict, stateful and free.

The stand-ins follow the vendors' documentation and share no code with `flux_cli.providers`, so they catch mistakes made
there. `flux_cli.sandbox.world.World` answers plain calls; `flux_cli.sandbox.transport` connects it to httpx.
"""
