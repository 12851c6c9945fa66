enable f16;

// out[t] = table[ids[t]]: {{ LANES }} lane(s) copy a row, as words.
{% set type = "vec4<u32>" if unit == 8 else "u32" if unit == 2 else "f16" %}
{% include "embedding-rows.wgsl" %}
