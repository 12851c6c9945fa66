{# A register tile: each invocation owns rows rows and cols groups of four columns of c and walks along k by fours; no workgroup
   memory, no barrier.

   Needs load_a, load_a_one, load_b and store_c; wx x wy invocations per workgroup; m, n, k; acc; planes, or splits (parts of
   k, along z; part `p` is stored as plane p); wide_a (whether k is a multiple of 4); ragged_m, ragged_n. #}
{% set steps = k // 4 %}
{% set quads_n = ceil_div(n, 4) %}
{% set parts = ["x", "y", "z", "w"] %}
{% set plane_use = ", plane" if planes > 1 else "" %}
@compute @workgroup_size({{ wx }}, {{ wy }}, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
{% set folded = planes != fold_x(planes) %}
{% set tile_row = "(group.y % " ~ ceil_div(m, wy * rows) ~ "u)" if folded else "group.y" %}
{% if folded %}
    // Workgroups beyond the last matrix of the folded grid repeat it: they write the same values.
    let plane = min(group.y / {{ ceil_div(m, wy * rows) }}u * {{ fold_x(planes) }}u + group.z, {{ planes - 1 }}u);
{% elif planes > 1 %}
    let plane = group.z;
{% endif %}
{% if wy == 1 %}
    let row = {{ tile_row }} * {{ rows }}u;
{% else %}
    let row = ({{ tile_row }} * {{ wy }}u + lane.y) * {{ rows }}u;
{% endif %}
    let col = group.x * {{ wx * cols }}u + lane.x;
{% for r in range(rows) %}
    let row{{ r }} = {% if ragged_m %}min(row + {{ r }}u, {{ m - 1 }}u){% else %}row + {{ r }}u{% endif %};
{% endfor %}
{% for j in range(cols) %}
    let col{{ j }} = {% if ragged_n %}min(col + {{ j * wx }}u, {{ quads_n - 1 }}u){% else %}col + {{ j * wx }}u{% endif %};
{% endfor %}
{% for r in range(rows) %}
{% for j in range(cols) %}
    var sum{{ r }}_{{ j }} = vec4<{{ acc }}>();
{% endfor %}
{% endfor %}

{% if splits > 1 %}
    let first = group.z * {{ chunk }}u;
    for (var i = first; i < min(first + {{ chunk }}u, {{ steps }}u); i++) {
{% else %}
    for (var i = 0u; i < {{ steps }}u; i++) {
{% endif %}
{% for r in range(rows) %}
        let a{{ r }} = load_a(row{{ r }}, i{{ plane_use }});
{% endfor %}
{% for part in parts %}
{% set step = loop.index0 %}
{% for j in range(cols) %}
        let b{{ step }}_{{ j }} = load_b(4u * i + {{ step }}u, col{{ j }}{{ plane_use }});
{% endfor %}
{% for r in range(rows) %}
{% for j in range(cols) %}
        sum{{ r }}_{{ j }} = fma(vec4<{{ acc }}>(a{{ r }}.{{ part }}), b{{ step }}_{{ j }}, sum{{ r }}_{{ j }});
{% endfor %}
{% endfor %}
{% endfor %}
    }
{% if k % 4 != 0 %}
    // The rest of k{{ ", by the last part of it" if splits > 1 }}.
    for (var i = {% if splits > 1 %}select({{ k }}u, {{ 4 * steps }}u, group.z == {{ splits - 1 }}u){% else %}{{ 4 * steps }}u{% endif %}; i < {{ k }}u; i++) {
{% for j in range(cols) %}
        let b{{ j }} = load_b(i, col{{ j }}{{ plane_use }});
{% endfor %}
{% for r in range(rows) %}
        let a{{ r }} = vec4<{{ acc }}>(load_a_one(row{{ r }}, i{{ plane_use }}));
{% for j in range(cols) %}
        sum{{ r }}_{{ j }} = fma(a{{ r }}, b{{ j }}, sum{{ r }}_{{ j }});
{% endfor %}
{% endfor %}
    }
{% endif %}

{% for r in range(rows) %}
{% for j in range(cols) %}
    store_c(row + {{ r }}u, col + {{ j * wx }}u, sum{{ r }}_{{ j }}{{ plane_use }}{{ ", group.z" if splits > 1 }});
{% endfor %}
{% endfor %}
}
