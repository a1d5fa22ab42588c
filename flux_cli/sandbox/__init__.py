"""The other side of the four protocols: offline, strict, stateful and free.

An independent reading of the vendors' pages, which shares no code with `flux_cli.providers`, so that a mistake made
there is caught here. `flux_cli.sandbox.world.World` answers plain calls; `flux_cli.sandbox.transport` puts it behind
httpx.
"""
