"""The rules of Slicer's Extensions Index, held against this checkout without a network.

Written after what the Index's bot and its pull request template ask (github.com/Slicer/ExtensionsIndex: scripts/,
schemas/, .github/PULL_REQUEST_TEMPLATE.md). One file per kind of rule; each has ``check(checkout)``.
"""
