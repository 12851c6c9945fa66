// y = exp(x - max(x)) / sum(exp(x - max(x))), row by row: one subgroup per row, {{ unit }} element(s) per load and lane.
{% set type = "vec4<u64>" if unit == 8 else "f32" %}
{% set wide = unit == 8 %}
{% set kept = per <= KEEP %}
{% set rest = units % lanes %}
{% set value = "vec4<f32>" if wide else "f32" %}
{% set parts = ["low", "high"] if wide else ["low"] %}

// Below every finite f32 that a row holds, and small enough that its exponential is 0.
const LOWEST = -3.4028234e38;

@group(0) @binding(0) var<storage, read> x: array<{{ type }}>;
@group(0) @binding(1) var<storage, read_write> y: array<{{ type }}>;
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
{# Unit `at` (a WGSL expression) of the row into values `low` and `high` with a suffix; `inside` is false beyond the row. #}
{% macro read(at, suffix, inside, indent) %}
{{ indent }}let unit{{ suffix }} = x[start + {{ at }}];
{% for part in parts %}
{{ indent }}let {{ part }}{{ suffix }} = {% if inside %}select({{ value }}(LOWEST), {% endif %}
{{- part ~ "(unit" ~ suffix ~ ")" if wide else "unit" ~ suffix }}{% if inside %}, {{ inside }}){% endif %};
{% endfor %}
{% endmacro %}
{% macro across(name, combine) %}
{% for width in [64, 32, 16, 8, 4, 2, 1] if width < lanes %}
        {{ name }} = {{ combine }}subgroupShuffle({{ name }}, lane ^ {{ width }}u));
{% endfor %}
{% endmacro %}

@compute @workgroup_size({{ lanes }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
    let first = (group.y * {{ fold_x(groups) }}u + group.x) * {{ run }}u;
    for (var row = first; row < min(first + {{ run }}u, {{ rows }}u); row++) {
        let start = row * {{ units }}u;
{% if kept %}
{% for i in range(per) %}
{% set last = rest != 0 and loop.last %}
{{ read("min(lane + " ~ i * lanes ~ "u, " ~ (units - 1) ~ "u)" if last else "lane + " ~ i * lanes ~ "u", i, "lane < " ~ rest ~ "u" if last else "", "        ") }}
{%- endfor %}
        var highest = {{ value }}(LOWEST);
{% for i in range(per) %}
{% for part in parts %}
        highest = max(highest, {{ part }}{{ i }});
{% endfor %}
{% endfor %}
        var top = {{ "max(max(highest.x, highest.y), max(highest.z, highest.w))" if wide else "highest" }};
{{ across("top", "max(top, ") }}
        var sum = {{ value }}();
{% for i in range(per) %}
{% for part in parts %}
        let {{ part }}_exp{{ i }} = exp({{ part }}{{ i }} - top);
        sum += {{ part }}_exp{{ i }};
{% endfor %}
{% endfor %}
        var total = {{ "dot(sum, vec4<f32>(1.0))" if wide else "sum" }};
{{ across("total", "(total + ") }}
        let scale = 1.0 / total;
{% for i in range(per) %}
{% if rest != 0 and loop.last %}
        if (lane < {{ rest }}u) {
{% else %}
        {
{% endif %}
            y[start + lane + {{ i * lanes }}u] = {{ "pack(low_exp" ~ i ~ " * scale, high_exp" ~ i ~ " * scale)" if wide else "low_exp" ~ i ~ " * scale" }};
        }
{% endfor %}
{% else %}
        // Maximum and sum of each element's own column of the row in one pass: a new maximum shrinks the sum so far.
        var highest = {{ value }}(LOWEST);
        var sum = {{ value }}();
        for (var i = 0u; i < {{ per }}u; i++) {
            let at = i * {{ lanes }}u + lane;
{{ read("min(at, " ~ (units - 1) ~ "u)" if rest else "at", "", "at < " ~ units ~ "u" if rest else "", "            ") }}
            let higher = {{ "max(highest, max(low, high))" if wide else "max(highest, low)" }};
            sum = sum * exp(highest - higher){% for part in parts %} + exp({{ part }} - higher){% endfor %};
            highest = higher;
        }
        var top = {{ "max(max(highest.x, highest.y), max(highest.z, highest.w))" if wide else "highest" }};
{{ across("top", "max(top, ") }}
        // A lane without elements has no maximum of its own, and its sum counts for nothing.
        sum *= exp(highest - top);
        var total = {{ "dot(sum, vec4<f32>(1.0))" if wide else "sum" }};
{{ across("total", "(total + ") }}
        let scale = 1.0 / total;
        for (var i = 0u; i < {{ per }}u; i++) {
            let at = i * {{ lanes }}u + lane;
{{ read("min(at, " ~ (units - 1) ~ "u)" if rest else "at", "", "", "            ") }}
{% if rest %}
            if (at < {{ units }}u) {
{% else %}
            {
{% endif %}
                y[start + at] = {{ "pack(exp(low - top) * scale, exp(high - top) * scale)" if wide else "exp(low - top) * scale" }};
            }
        }
{% endif %}
    }
}
