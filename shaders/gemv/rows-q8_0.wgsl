// y = w * x, w in blocks: {{ LANES }} lane(s) share {{ ROWS }} row(s).
{% set format = "q8_0" %}
{% set subgroup = false %}
{% include "quantised-rows.wgsl" %}
