// y = x / sqrt(mean(x^2) + 1e-5) * weight, row by row: one subgroup per row, {{ unit }} element(s) per load and lane.
{% set type = "vec4<u64>" if unit == 8 else "f32" %}
{% set wide = unit == 8 %}
{% set kept = per <= KEEP %}
{% set rest = units % lanes %}
{% set value = "vec4<f32>" if wide else "f32" %}
{% set parts = ["low", "high"] if wide else ["low"] %}

@group(0) @binding(0) var<storage, read> x: array<{{ type }}>;
@group(0) @binding(1) var<storage, read> weight: array<{{ type }}>;
@group(0) @binding(2) var<storage, read_write> y: array<{{ type }}>;
{% if wide %}

// Elements 0, 2, 4 and 6 of a unit.
fn low(pairs: vec4<u64>) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(pairs));
}

// Elements 1, 3, 5 and 7.
fn high(pairs: vec4<u64>) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(pairs >> vec4<u32>(32u)));
}

fn pack(low: vec4<f32>, high: vec4<f32>) -> vec4<u64> {
    return vec4<u64>(bitcast<vec4<u32>>(low)) | (vec4<u64>(bitcast<vec4<u32>>(high)) << vec4<u32>(32u));
}
{% endif %}
{# A unit of `tensor` into values `low` and `high` with this name; zero where `inside` is false. #}
{% macro read(tensor, at, name, inside, indent) %}
{{ indent }}let {{ name }} = {{ tensor }}[{{ at }}];
{% for part in parts %}
{{ indent }}let {{ part }}_{{ name }} = {% if inside %}select({{ value }}(), {% endif %}
{{- part ~ "(" ~ name ~ ")" if wide else name }}{% if inside %}, {{ inside }}){% endif %};
{% endfor %}
{% endmacro %}
{# `unit` scaled and weighted by `factor`. #}
{% macro result(unit, factor) %}
{% if wide %}pack(low_{{ unit }} * scale * low_{{ factor }}, high_{{ unit }} * scale * high_{{ factor }})
{%- else %}low_{{ unit }} * scale * low_{{ factor }}{% endif %}
{% endmacro %}
{% macro scale_of_row() %}
        var total = {{ "dot(squares, vec4<f32>(1.0))" if wide else "squares" }};
{% for width in [64, 32, 16, 8, 4, 2, 1] if width < lanes %}
        total += subgroupShuffle(total, lane ^ {{ width }}u);
{% endfor %}
        let scale = inverseSqrt(total * {{ 1 / cols }} + 1e-5);
{% endmacro %}

@compute @workgroup_size({{ lanes }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let first = (group.y * {{ fold_x(groups) }}u + group.x) * {{ run }}u;
{% if kept %}
{% for i in range(per) %}
    let at{{ i }} = {% if rest != 0 and loop.last %}min(lane + {{ i * lanes }}u, {{ units - 1 }}u){% else %}lane + {{ i * lanes }}u{% endif %};
{{ read("weight", "at" ~ i, "weight" ~ i, "", "    ") }}
{%- endfor %}
{% endif %}
    for (var row = first; row < min(first + {{ run }}u, {{ rows }}u); row++) {
        let start = row * {{ units }}u;
        var squares = {{ value }}();
{% if kept %}
{% for i in range(per) %}
{{ read("x", "start + at" ~ i, "x" ~ i, "lane < " ~ rest ~ "u" if rest != 0 and loop.last else "", "        ") }}
{%- for part in parts %}
        squares = fma({{ part }}_x{{ i }}, {{ part }}_x{{ i }}, squares);
{% endfor %}
{% endfor %}
{{ scale_of_row() }}
{%- for i in range(per) %}
{% if rest != 0 and loop.last %}
        if (lane < {{ rest }}u) {
{% else %}
        {
{% endif %}
            y[start + at{{ i }}] = {{ result("x" ~ i, "weight" ~ i) }};
        }
{% endfor %}
{% else %}
        for (var i = 0u; i < {{ per }}u; i++) {
            let at = i * {{ lanes }}u + lane;
{{ read("x", "start + min(at, " ~ (units - 1) ~ "u)" if rest else "start + at", "unit", "at < " ~ units ~ "u" if rest else "", "            ") }}
{%- for part in parts %}
            squares = fma({{ part }}_unit, {{ part }}_unit, squares);
{% endfor %}
        }
{{ scale_of_row() }}
        for (var i = 0u; i < {{ per }}u; i++) {
            let at = {% if rest %}min(i * {{ lanes }}u + lane, {{ units - 1 }}u){% else %}i * {{ lanes }}u + lane{% endif %};
{{ read("x", "start + at", "unit", "", "            ") }}
{{- read("weight", "at", "factor", "", "            ") }}
{%- if rest %}
            if (i * {{ lanes }}u + lane < {{ units }}u) {
{% else %}
            {
{% endif %}
                y[start + at] = {{ result("unit", "factor") }};
            }
        }
{% endif %}
    }
}
