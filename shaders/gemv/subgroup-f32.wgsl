// y = w * x: one subgroup takes {{ ROWS }} row(s) of w at a time, {{ unit }} element(s) per load and lane.
{% set type = "vec4<u64>" if unit == 8 else "f32" %}
{% set wide = unit == 8 %}
{% set rest = units % lanes %}
{% set value = "vec4<f32>" if wide else "f32" %}
{% set parts = ["low", "high"] if wide else ["low"] %}
{% set ragged = m % ROWS != 0 %}

@group(0) @binding(0) var<storage, read> w: array<{{ type }}>;
@group(0) @binding(1) var<storage, read> x: array<{{ type }}>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
{% if wide %}

// Elements 0, 2, 4 and 6 of a unit.
fn low(pairs: vec4<u64>) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(pairs));
}

// Elements 1, 3, 5 and 7.
fn high(pairs: vec4<u64>) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(pairs >> vec4<u32>(32u)));
}
{% endif %}
{# Multiplies unit `at` of every row; x counts as zero where `inside` is false. #}
{% macro multiply(at, inside, indent) %}
{{ indent }}let of_x = x[{{ at }}];
{% for part in parts %}
{{ indent }}let {{ part }}_x = {% if inside %}select({{ value }}(), {% endif %}
{{- part ~ "(of_x)" if wide else "of_x" }}{% if inside %}, {{ inside }}){% endif %};
{% endfor %}
{% for r in range(ROWS) %}
{{ indent }}let row{{ r }} = w[start{{ r }} + {{ at }}];
{% for part in parts %}
{{ indent }}sum{{ r }} = fma({{ part ~ "(row" ~ r ~ ")" if wide else "row" ~ r }}, {{ part }}_x, sum{{ r }});
{% endfor %}
{% endfor %}
{% endmacro %}

@compute @workgroup_size({{ lanes }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let first = (group.y * {{ fold_x(groups) }}u + group.x) * {{ RUN }}u;
    for (var set_of_rows = first; set_of_rows < min(first + {{ RUN }}u, {{ sets }}u); set_of_rows++) {
        let row = set_of_rows * {{ ROWS }}u;
{% for r in range(ROWS) %}
        let start{{ r }} = {% if ragged %}min(row + {{ r }}u, {{ m - 1 }}u){% else %}(row + {{ r }}u){% endif %} * {{ units }}u;
        var sum{{ r }} = {{ value }}();
{% endfor %}
{% if steps > 0 %}
        for (var i = 0u; i < {{ steps }}u; i++) {
            let at = i * {{ lanes }}u + lane;
{{ multiply("at", "", "            ") }}
        }
{% endif %}
{% if rest != 0 %}
        {
            // Lanes beyond the row read its last unit and count it as nothing.
            let at = min({{ steps * lanes }}u + lane, {{ units - 1 }}u);
{{ multiply("at", "lane < " ~ rest ~ "u", "            ") }}
        }
{% endif %}
{% for r in range(ROWS) %}
        var total{{ r }} = {{ "dot(sum" ~ r ~ ", vec4<f32>(1.0))" if wide else "sum" ~ r }};
{% for width in [64, 32, 16, 8, 4, 2, 1] if width < lanes %}
        total{{ r }} += subgroupShuffle(total{{ r }}, lane ^ {{ width }}u);
{% endfor %}
{% if ragged %}
        if (lane == 0u && row + {{ r }}u < {{ m }}u) {
{% else %}
        if (lane == 0u) {
{% endif %}
            y[row + {{ r }}u] = total{{ r }};
        }
{% endfor %}
    }
}
