// Queries and keys rotated by their position, keys and values moved to the rows of the cache.
{% set half = false %}
{% include "rope-append.wgsl" %}
