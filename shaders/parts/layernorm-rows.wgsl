{# Layer normalisation of rows, {{ lanes }} lane(s) per row. The including file sets `half`. Sums are of x less the mean of
   the row's first elements, which keeps the difference of two squares accurate, and need one pass. #}
{% set type = "vec4<f32>" if unit == 4 else "f32" %}
{% set stored = type if not half else "vec4<f16>" if unit == 4 else "f16" %}
{% set kept = per <= KEEP %}
{% set full = units // LANES %}
{% set rest = units % LANES %}
{% set ragged = rows != groups * sets or groups != fold_x(groups) * fold_y(groups) %}
{# A value as f32. #}
{% macro load(place) %}{% if half %}{{ type }}({{ place }}){% else %}{{ place }}{% endif %}{% endmacro %}
{# A value as it is stored. #}
{% macro store(value) %}{% if half %}{{ stored }}({{ value }}){% else %}{{ value }}{% endif %}{% endmacro %}
{# Adds one unit to both sums. #}
{% macro gather(value, indent) %}
{{ indent }}let centred = {{ value }} - base;
{{ indent }}sums += centred;
{{ indent }}squares = fma(centred, centred, squares);
{% endmacro %}

@group(0) @binding(0) var<storage, read> x: array<{{ stored }}>;
@group(0) @binding(1) var<storage, read> weight: array<{{ stored }}>;
@group(0) @binding(2) var<storage, read> bias: array<{{ stored }}>;
@group(0) @binding(3) var<storage, read_write> y: array<{{ stored }}>;
{% if LANES > 1 %}

var<workgroup> partial: array<vec2<f32>, {{ GROUP }}>;
{% endif %}

@compute @workgroup_size({{ GROUP }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) id: u32) {
    let lane = id % {{ LANES }}u;
    let row = (group.y * {{ fold_x(groups) }}u + group.x) * {{ sets }}u + id / {{ LANES }}u;
    // Lanes without a row of their own repeat the last one, so that all of them reach the barriers.
    let begin = {% if ragged %}min(row, {{ rows - 1 }}u){% else %}row{% endif %} * {{ units }}u;
    let start = begin + lane;
{% if unit == 4 %}
    let base = dot({{ load("x[begin]") }}, vec4<f32>(0.25));
{% elif cols >= 4 %}
    let base = 0.25 * ({% for i in range(4) %}{{ " + " if not loop.first }}{{ load("x[begin + " ~ i ~ "u]") }}{% endfor %});
{% else %}
    let base = {{ load("x[begin]") }};
{% endif %}
    var sums = {{ type }}();
    var squares = {{ type }}();
{% if kept %}
{% for i in range(per) %}
    var x{{ i }} = {{ type }}(base);
{% if rest != 0 and loop.last %}
    if (lane < {{ rest }}u) {
        x{{ i }} = {{ load("x[start + " ~ i * LANES ~ "u]") }};
    }
{% else %}
    x{{ i }} = {{ load("x[start + " ~ i * LANES ~ "u]") }};
{% endif %}
    {
{{ gather("x" ~ i, "        ") }}    }
{% endfor %}
{% else %}
    for (var i = 0u; i < {{ full }}u; i++) {
{{ gather(load("x[start + i * " ~ LANES ~ "u]"), "        ") }}    }
{% if rest != 0 %}
    if (lane < {{ rest }}u) {
{{ gather(load("x[start + " ~ full * LANES ~ "u]"), "        ") }}    }
{% endif %}
{% endif %}
{% set one = "vec4<f32>(1.0)" %}
    var total = {% if unit == 4 %}vec2<f32>(dot(sums, {{ one }}), dot(squares, {{ one }})){% else %}vec2<f32>(sums, squares){% endif %};
{% if LANES > 1 %}
    partial[id] = total;
{% for width in [128, 64, 32, 16, 8, 4, 2, 1] if width < LANES %}
    workgroupBarrier();
    if (lane < {{ width }}u) {
        partial[id] += partial[id + {{ width }}u];
    }
{% endfor %}
    workgroupBarrier();
    total = partial[id - lane];
{% endif %}
    let means = total * {{ 1 / cols }};
    // Rounding may leave a variance of 0 slightly negative.
    let scale = inverseSqrt(max(means.y - means.x * means.x, 0.0) + 1e-5);
    let mean = base + means.x;
{% if ragged %}
    if (row >= {{ rows }}u) {
        return;
    }
{% endif %}
{% if kept %}
{% for i in range(per) %}
{% set at = i * LANES ~ "u + lane" %}
{% set value = "(x" ~ i ~ " - mean) * scale * " ~ load("weight[" ~ at ~ "]") ~ " + " ~ load("bias[" ~ at ~ "]") %}
{% if rest != 0 and loop.last %}
    if (lane < {{ rest }}u) {
        y[start + {{ i * LANES }}u] = {{ store(value) }};
    }
{% else %}
    y[start + {{ i * LANES }}u] = {{ store(value) }};
{% endif %}
{% endfor %}
{% else %}
{% set value = "(" ~ load("x[start + at]") ~ " - mean) * scale * " ~ load("weight[at + lane]") ~ " + " ~ load("bias[at + lane]") %}
    for (var i = 0u; i < {{ full }}u; i++) {
        let at = i * {{ LANES }}u;
        y[start + at] = {{ store(value) }};
    }
{% if rest != 0 %}
    if (lane < {{ rest }}u) {
        let at = {{ full * LANES }}u;
        y[start + at] = {{ store(value) }};
    }
{% endif %}
{% endif %}
}
