"""The sections of the report: a module for each, or for those that read the same records.

`kerasnas.report.page` lists them in their order. `headline`, `quality` and `statistics` hold what
several of them share.
"""
