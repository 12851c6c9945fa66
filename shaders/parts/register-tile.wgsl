{# A register tile: each invocation owns ROWS rows and COLS groups of four columns of c and walks along k by fours; no workgroup
   memory, no barrier.

   Needs load_a, load_a_one, load_b and store_c; wx x wy invocations per workgroup; m, n, k; acc; planes, or splits (parts of
   k, along z; part `p` is stored as plane p); wide_a (whether k is a multiple of 4); ragged_m, ragged_n. #}
{% set steps = k // 4 %}
{% set quads_n = ceil_div(n, 4) %}
{% set parts = ["x", "y", "z", "w"] %}
{% set plane_use = ", plane" if planes > 1 else "" %}
@compute @workgroup_size({{ wx }}, {{ wy }}, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
{% if planes > 1 %}
    let plane = group.z;
{% endif %}
{% if wy == 1 %}
    let row = group.y * {{ ROWS }}u;
{% else %}
    let row = (group.y * {{ wy }}u + lane.y) * {{ ROWS }}u;
{% endif %}
    let col = group.x * {{ wx * COLS }}u + lane.x;
{% for r in range(ROWS) %}
    let row{{ r }} = {% if ragged_m %}min(row + {{ r }}u, {{ m - 1 }}u){% else %}row + {{ r }}u{% endif %};
{% endfor %}
{% for j in range(COLS) %}
    let col{{ j }} = {% if ragged_n %}min(col + {{ j * wx }}u, {{ quads_n - 1 }}u){% else %}col + {{ j * wx }}u{% endif %};
{% endfor %}
{% for r in range(ROWS) %}
{% for j in range(COLS) %}
    var sum{{ r }}_{{ j }} = vec4<{{ acc }}>();
{% endfor %}
{% endfor %}

{% if splits > 1 %}
    let first = group.z * {{ chunk }}u;
    for (var i = first; i < min(first + {{ chunk }}u, {{ steps }}u); i++) {
{% else %}
    for (var i = 0u; i < {{ steps }}u; i++) {
{% endif %}
{% for r in range(ROWS) %}
        let a{{ r }} = load_a(row{{ r }}, i{{ plane_use }});
{% endfor %}
{% for part in parts %}
{% set step = loop.index0 %}
{% for j in range(COLS) %}
        let b{{ step }}_{{ j }} = load_b(4u * i + {{ step }}u, col{{ j }}{{ plane_use }});
{% endfor %}
{% for r in range(ROWS) %}
{% for j in range(COLS) %}
        sum{{ r }}_{{ j }} = fma(vec4<{{ acc }}>(a{{ r }}.{{ part }}), b{{ step }}_{{ j }}, sum{{ r }}_{{ j }});
{% endfor %}
{% endfor %}
{% endfor %}
    }
{% if k % 4 != 0 %}
    // The rest of k{{ ", by the last part of it" if splits > 1 }}.
    for (var i = {% if splits > 1 %}select({{ k }}u, {{ 4 * steps }}u, group.z == {{ splits - 1 }}u){% else %}{{ 4 * steps }}u{% endif %}; i < {{ k }}u; i++) {
{% for j in range(COLS) %}
        let b{{ j }} = load_b(i, col{{ j }}{{ plane_use }});
{% endfor %}
{% for r in range(ROWS) %}
        let a{{ r }} = vec4<{{ acc }}>(load_a_one(row{{ r }}, i{{ plane_use }}));
{% for j in range(COLS) %}
        sum{{ r }}_{{ j }} = fma(a{{ r }}, b{{ j }}, sum{{ r }}_{{ j }});
{% endfor %}
{% endfor %}
    }
{% endif %}

{% for r in range(ROWS) %}
{% for j in range(COLS) %}
    store_c(row + {{ r }}u, col + {{ j * wx }}u, sum{{ r }}_{{ j }}{{ plane_use }}{{ ", group.z" if splits > 1 }});
{% endfor %}
{% endfor %}
}
