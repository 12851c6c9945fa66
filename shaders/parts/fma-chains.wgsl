{# Body of the multiply-add probe. Set before: scalar (type of an element), plus and minus (the factor of the map and its
   negative, as literals), fused (whether `fma` exists for the type). From the manifest: width, units, groups. #}
{% set type = scalar if width == 1 else "vec" ~ width ~ "<" ~ scalar ~ ">" %}
{% set ragged = n % width != 0 or units % (WG * CHAINS) != 0 or groups != fold_x(groups) * fold_y(groups) %}
{% set parts = ["x", "y", "z", "w"] %}
const PLUS = {{ type }}({{ plus }});
const MINUS = {{ type }}({{ minus }});

// One oscillator each: x and y.
@group(0) @binding(0) var<storage, read> state: array<vec2<{{ scalar }}>>;
@group(0) @binding(1) var<storage, read_write> result: array<vec2<{{ scalar }}>>;

@compute @workgroup_size({{ WG }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = (group.y * {{ fold_x(groups) }}u + group.x) * {{ WG * CHAINS }}u + lane;
{% for c in range(CHAINS) %}
    let at{{ c }} = {{ width }}u * (first + {{ c * WG }}u);
{% for i in range(width) %}
    let start{{ c }}_{{ i }} = state[{% if ragged %}min(at{{ c }} + {{ i }}u, {{ n - 1 }}u){% else %}at{{ c }} + {{ i }}u{% endif %}];
{% endfor %}
    var x{{ c }} = {{ type }}({% for i in range(width) %}{{ ", " if i > 0 }}start{{ c }}_{{ i }}.x{% endfor %});
    var y{{ c }} = {{ type }}({% for i in range(width) %}{{ ", " if i > 0 }}start{{ c }}_{{ i }}.y{% endfor %});
{% endfor %}

{% macro step(indent) %}
{% for c in range(CHAINS) %}
{{ indent }}x{{ c }} = {{ "fma(MINUS, y" ~ c ~ ", x" ~ c ~ ")" if fused else "x" ~ c ~ " + MINUS * y" ~ c }};
{% endfor %}
{% for c in range(CHAINS) %}
{{ indent }}y{{ c }} = {{ "fma(PLUS, x" ~ c ~ ", y" ~ c ~ ")" if fused else "y" ~ c ~ " + PLUS * x" ~ c }};
{% endfor %}
{% endmacro %}
    for (var i = 0u; i < {{ steps // UNROLL }}u; i++) {
{% for u in range(UNROLL) %}
{{ step("        ") }}
{%- endfor %}
    }
{% for u in range(steps % UNROLL) %}
{{ step("    ") }}
{%- endfor %}

{% for c in range(CHAINS) %}
{% for i in range(width) %}
{% set part = "" if width == 1 else "." ~ parts[i] %}
{% if ragged %}
    if (at{{ c }} + {{ i }}u < {{ n }}u) {
        result[at{{ c }} + {{ i }}u] = vec2<{{ scalar }}>(x{{ c }}{{ part }}, y{{ c }}{{ part }});
    }
{% else %}
    result[at{{ c }} + {{ i }}u] = vec2<{{ scalar }}>(x{{ c }}{{ part }}, y{{ c }}{{ part }});
{% endif %}
{% endfor %}
{% endfor %}
}
