enable f16;

// c = a + b.
{% set half = true %}
{% set operands = ["a", "b"] %}
{% set result = "c" %}
{% set type = "vec4<f32>" if unit == 8 else "f32" %}
{% include "elementwise.wgsl" %}

fn apply(a: {{ type }}, b: {{ type }}) -> {{ type }} {
    return a + b;
}
