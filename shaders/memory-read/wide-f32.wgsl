// sums[j] is the sum of a[i * lanes + j] over i. One invocation takes {{ COLS }} group(s) of {{ unit }} neighbouring column(s).
{% set type = "vec4<u64>" if unit == 8 else "f32" %}
{% set rows = units // columns %}
{% set rest = units % columns %}
{% set ragged = columns != fold_x(groups) * fold_y(groups) * WG * COLS %}

@group(0) @binding(0) var<storage, read> a: array<{{ type }}>;
@group(0) @binding(1) var<storage, read_write> sums: array<{{ type }}>;
{% if unit == 8 %}

fn low(pairs: vec4<u64>) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(pairs));
}

fn high(pairs: vec4<u64>) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(pairs >> vec4<u32>(32u)));
}
{% endif %}
{% macro add(u, c, index, indent) %}
{{ indent }}{
{{ indent }}    let value = a[{{ index }}];
{% if unit == 8 %}
{{ indent }}    low{{ u }}_{{ c }} += low(value);
{{ indent }}    high{{ u }}_{{ c }} += high(value);
{% else %}
{{ indent }}    low{{ u }}_{{ c }} += value;
{% endif %}
{{ indent }}}
{% endmacro %}
{% macro total(part, c) %}{% for u in range(UNROLL) %}{{ " + " if not loop.first }}{{ part }}{{ u }}_{{ c }}{% endfor %}{% endmacro %}

@compute @workgroup_size({{ WG }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = (group.y * {{ fold_x(groups) }}u + group.x) * {{ WG * COLS }}u + lane;
{% for c in range(COLS) %}
    let column{{ c }} = first + {{ c * WG }}u;
    var at{{ c }} = {% if ragged %}min(column{{ c }}, {{ columns - 1 }}u){% else %}column{{ c }}{% endif %};
{% for u in range(UNROLL) %}
    var low{{ u }}_{{ c }} = {{ "vec4<f32>()" if unit == 8 else "0.0" }};
{% if unit == 8 %}
    var high{{ u }}_{{ c }} = vec4<f32>();
{% endif %}
{% endfor %}
{% endfor %}
    for (var i = 0u; i < {{ rows // UNROLL }}u; i++) {
{% for u in range(UNROLL) %}
{% for c in range(COLS) %}
{{ add(u, c, "at" ~ c ~ " + " ~ u * columns ~ "u", "        ") }}
{%- endfor %}
{% endfor %}
{% for c in range(COLS) %}
        at{{ c }} += {{ UNROLL * columns }}u;
{% endfor %}
    }
{% for u in range(rows % UNROLL) %}
{% for c in range(COLS) %}
{{ add(u, c, "at" ~ c ~ " + " ~ u * columns ~ "u", "    ") }}
{%- endfor %}
{% endfor %}
{% for c in range(COLS) %}
{% if rest != 0 %}
    if (column{{ c }} < {{ rest }}u) {
{{ add(0, c, "at" ~ c ~ " + " ~ (rows % UNROLL) * columns ~ "u", "        ") }}    }
{% endif %}
{% if ragged %}
    if (column{{ c }} < {{ columns }}u) {
{% else %}
    {
{% endif %}
{% if unit == 8 %}
        let low = bitcast<vec4<u32>>({{ total("low", c) }});
        let high = bitcast<vec4<u32>>({{ total("high", c) }});
        sums[column{{ c }}] = vec4<u64>(low) | (vec4<u64>(high) << vec4<u32>(32u));
{% else %}
        sums[column{{ c }}] = {{ total("low", c) }};
{% endif %}
    }
{% endfor %}
}
