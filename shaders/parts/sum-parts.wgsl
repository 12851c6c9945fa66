{# The entry `reduce`: adds up the sums of all parts of k, of [splits, m, n], for each element of c. Needs splits, m, n, out,
   and UNIT invocations per workgroup. #}
{% set elements = m * n // (4 if n % 4 == 0 else 1) %}
{% set groups = ceil_div(elements, UNIT) %}
{% set type = "vec4<" ~ acc ~ ">" if n % 4 == 0 else acc %}
@compute @workgroup_size({{ UNIT }}, 1, 1)
fn reduce(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = (group.y * {{ fold_x(groups) }}u + group.x) * {{ UNIT }}u + lane;
{% if elements != UNIT * fold_x(groups) * fold_y(groups) %}
    if (at >= {{ elements }}u) {
        return;
    }
{% endif %}
    // Four sums at a time, so that four loads are under way.
{% for i in range(4) %}
    var total{{ i }} = {{ type }}();
{% endfor %}
{% if splits >= 4 %}
    for (var part = 0u; part < {{ splits // 4 * 4 }}u; part += 4u) {
{% for i in range(4) %}
        total{{ i }} += sums[(part + {{ i }}u) * {{ elements }}u + at];
{% endfor %}
    }
{% endif %}
{% for part in range(splits // 4 * 4, splits) %}
    total{{ part % 4 }} += sums[{{ part * elements }}u + at];
{% endfor %}
    c[at] = (total0 + total1) + (total2 + total3);
}
