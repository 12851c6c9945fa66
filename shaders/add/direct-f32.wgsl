// c = a + b.
{% set half = false %}
{% set operands = ["a", "b"] %}
{% set result = "c" %}
{% set type = "vec4<f32>" if unit == 4 else "f32" %}
{% include "elementwise.wgsl" %}

fn apply(a: {{ type }}, b: {{ type }}) -> {{ type }} {
    return a + b;
}
