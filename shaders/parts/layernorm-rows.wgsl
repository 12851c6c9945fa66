{# Layer normalisation, {{ LANES }} lane(s) per {{ ROWS }} row(s), which share each read of weight and bias. The including file
   sets `half`. Sums are of x less the mean of the row's first elements, which keeps the difference of two squares accurate,
   and need one pass. #}
{% set type = "vec4<f32>" if unit == 4 else "f32" %}
{% set stored = type if not half else "vec4<f16>" if unit == 4 else "f16" %}
{% set kept = per * ROWS <= KEEP %}
{% set full = units // LANES %}
{% set rest = units % LANES %}
{% set ragged = rows != groups * sets * ROWS or groups != fold_x(groups) * fold_y(groups) %}
{# A value as f32. #}
{% macro load(place) %}{% if half %}{{ type }}({{ place }}){% else %}{{ place }}{% endif %}{% endmacro %}
{# A value as it is stored. #}
{% macro store(value) %}{% if half %}{{ stored }}({{ value }}){% else %}{{ value }}{% endif %}{% endmacro %}
{# Adds one unit of row `r` to both sums. #}
{% macro gather(r, value, indent) %}
{{ indent }}let centred{{ r }} = {{ value }} - base{{ r }};
{{ indent }}sums{{ r }} += centred{{ r }};
{{ indent }}squares{{ r }} = fma(centred{{ r }}, centred{{ r }}, squares{{ r }});
{% endmacro %}
{# Scales unit `at` of every row; `i` is its number where rows are kept. #}
{% macro scale(at, i, indent) %}
{{ indent }}let weight_at = {{ load("weight[" ~ at ~ " + lane]") }};
{{ indent }}let bias_at = {{ load("bias[" ~ at ~ " + lane]") }};
{% for r in range(ROWS) %}
{% set value = "x" ~ r ~ "_" ~ i if kept else load("x[start" ~ r ~ " + " ~ at ~ "]") %}
{% set result = store("(" ~ value ~ " - mean" ~ r ~ ") * scale" ~ r ~ " * weight_at + bias_at") %}
{% if ragged %}
{{ indent }}if (row + {{ r }}u < {{ rows }}u) {
{{ indent }}    y[start{{ r }} + {{ at }}] = {{ result }};
{{ indent }}}
{% else %}
{{ indent }}y[start{{ r }} + {{ at }}] = {{ result }};
{% endif %}
{% endfor %}
{% endmacro %}

@group(0) @binding(0) var<storage, read> x: array<{{ stored }}>;
@group(0) @binding(1) var<storage, read> weight: array<{{ stored }}>;
@group(0) @binding(2) var<storage, read> bias: array<{{ stored }}>;
@group(0) @binding(3) var<storage, read_write> y: array<{{ stored }}>;
{% if LANES > 1 %}

var<workgroup> partial: array<vec2<f32>, {{ GROUP * ROWS }}>;
{% endif %}

@compute @workgroup_size({{ GROUP }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) id: u32) {
    let lane = id % {{ LANES }}u;
    let row = ((group.y * {{ fold_x(groups) }}u + group.x) * {{ sets }}u + id / {{ LANES }}u) * {{ ROWS }}u;
{% for r in range(ROWS) %}
    // Lanes without a row of their own repeat the last one, so that all of them reach the barriers.
    let begin{{ r }} = {% if ragged %}min(row + {{ r }}u, {{ rows - 1 }}u){% else %}(row + {{ r }}u){% endif %} * {{ units }}u;
    let start{{ r }} = begin{{ r }} + lane;
{% set begin = "x[begin" ~ r %}
{% if unit == 4 %}
    let base{{ r }} = dot({{ load(begin ~ "]") }}, vec4<f32>(0.25));
{% elif cols >= 4 %}
    let base{{ r }} = 0.25 * ({% for i in range(4) %}{{ " + " if not loop.first }}{{ load(begin ~ " + " ~ i ~ "u]") }}{% endfor %});
{% else %}
    let base{{ r }} = {{ load(begin ~ "]") }};
{% endif %}
    var sums{{ r }} = {{ type }}();
    var squares{{ r }} = {{ type }}();
{% endfor %}
{% if kept %}
{% for r in range(ROWS) %}
{% for i in range(per) %}
{% set name = "x" ~ r ~ "_" ~ i %}
    var {{ name }} = {{ type }}(base{{ r }});
{% if rest != 0 and loop.last %}
    if (lane < {{ rest }}u) {
        {{ name }} = {{ load("x[start" ~ r ~ " + " ~ i * LANES ~ "u]") }};
    }
{% else %}
    {{ name }} = {{ load("x[start" ~ r ~ " + " ~ i * LANES ~ "u]") }};
{% endif %}
    {
{{ gather(r, name, "        ") }}    }
{% endfor %}
{% endfor %}
{% else %}
    for (var i = 0u; i < {{ full }}u; i++) {
{% for r in range(ROWS) %}
{{ gather(r, load("x[start" ~ r ~ " + i * " ~ LANES ~ "u]"), "        ") }}
{%- endfor %}
    }
{% if rest != 0 %}
    if (lane < {{ rest }}u) {
{% for r in range(ROWS) %}
{{ gather(r, load("x[start" ~ r ~ " + " ~ full * LANES ~ "u]"), "        ") }}
{%- endfor %}
    }
{% endif %}
{% endif %}
{% set one = "vec4<f32>(1.0)" %}
{% for r in range(ROWS) %}
    var total{{ r }} = {% if unit == 4 %}vec2<f32>(dot(sums{{ r }}, {{ one }}), dot(squares{{ r }}, {{ one }})){% else %}vec2<f32>(sums{{ r }}, squares{{ r }}){% endif %};
{% endfor %}
{% if LANES > 1 %}
{% for r in range(ROWS) %}
    partial[{{ r * GROUP }}u + id] = total{{ r }};
{% endfor %}
{% for width in [128, 64, 32, 16, 8, 4, 2, 1] if width < LANES %}
    workgroupBarrier();
    if (lane < {{ width }}u) {
{% for r in range(ROWS) %}
        partial[{{ r * GROUP }}u + id] += partial[{{ r * GROUP + width }}u + id];
{% endfor %}
    }
{% endfor %}
    workgroupBarrier();
{% for r in range(ROWS) %}
    total{{ r }} = partial[{{ r * GROUP }}u + id - lane];
{% endfor %}
{% endif %}
{% for r in range(ROWS) %}
    let means{{ r }} = total{{ r }} * {{ 1 / cols }};
    // Rounding may leave a variance of 0 slightly negative.
    let scale{{ r }} = inverseSqrt(max(means{{ r }}.y - means{{ r }}.x * means{{ r }}.x, 0.0) + 1e-5);
    let mean{{ r }} = base{{ r }} + means{{ r }}.x;
{% endfor %}
{% if kept %}
{% for i in range(per) %}
    {{ "if (lane < " ~ rest ~ "u) " if rest != 0 and loop.last }}{
{{ scale(i * LANES ~ "u", i, "        ") }}    }
{% endfor %}
{% else %}
    for (var i = 0u; i < {{ full }}u; i++) {
        let at = i * {{ LANES }}u;
{{ scale("at", 0, "        ") }}    }
{% if rest != 0 %}
    if (lane < {{ rest }}u) {
        let at = {{ full * LANES }}u;
{{ scale("at", 0, "        ") }}    }
{% endif %}
{% endif %}
}
