enable f16;

// Queries and keys rotated by their position, keys and values moved to the rows of the cache.
{% set half = true %}
{% include "rope-append.wgsl" %}
