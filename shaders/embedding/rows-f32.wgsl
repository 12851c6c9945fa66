// out[t] = table[ids[t]]: {{ LANES }} lane(s) copy a row, as words.
{% set type = "vec4<u32>" if unit == 4 else "u32" %}
{% include "embedding-rows.wgsl" %}
