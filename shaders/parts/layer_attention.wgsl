{# Attention of every token of a decoder layer over the cache and the new keys, and the merging of parts of the context. #}
{% set even = group % own_heads == 0 %}
{% macro at(e) %}{% if split > 1 %}lane + {{ e * split }}u{% else %}{{ e }}u{% endif %}{% endmacro %}

@compute @workgroup_size({{ threads }}, 1, 1)
fn attend(@builtin(workgroup_id) place: vec3<u32>, @builtin(local_invocation_index) id: u32) {
{% if split > 1 %}
    let lane = id % {{ split }}u;
    let team = id / {{ split }}u;
    var half = 0u;
{% else %}
    let team = id;
{% endif %}
    let kv_head = place.y / {{ blocks }}u;
    // Of this workgroup's heads, the first within its group.
    let first = place.y % {{ blocks }}u * {{ own_heads }}u;
    let sequence = place.z / {{ tokens }}u * {{ kv_heads }}u + kv_head;
    let cached = sequence * {{ past }}u;
    let fresh = sequence * {{ tokens }}u;
    let q_row = place.z * {{ heads }}u + kv_head * {{ group }}u;
    let begin = place.x * {{ chunk }}u;
    let end = min(begin + {{ chunk }}u, {{ past + 1 }}u + place.z % {{ tokens }}u);
{% for h in range(own_heads) %}
    let row_{{ h }} = q_row + {% if even %}first + {{ h }}u{% else %}min(first + {{ h }}u, {{ group - 1 }}u){% endif %};
{% for e in range(own) %}
    let q{{ h }}_{{ e }} = load_q(row_{{ h }}, {{ at(e) }});
    var o{{ h }}_{{ e }} = vec4<f32>();
{% endfor %}
    var highest{{ h }} = LOWEST;
    var sum{{ h }} = 0.0;
{% endfor %}

    // A part after the token's own position has no key, and no loop: its sum is 0 and its maximum the lowest.
    for (var base = begin; base < end; base += {{ step }}u) {
{% for j in range(KEYS) %}
        let key{{ j }} = base + {{ j * teams }}u + team;
        let row{{ j }} = min(key{{ j }}, end - 1u);
{% for e in range(own) %}
        let k{{ j }}_{{ e }} = load_row(cached, fresh, row{{ j }}, {{ at(e) }});
{% endfor %}
{% for h in range(own_heads) %}
        var dot{{ h }}_{{ j }} = q{{ h }}_0 * k{{ j }}_0;
{% for e in range(1, own) %}
        dot{{ h }}_{{ j }} = fma(q{{ h }}_{{ e }}, k{{ j }}_{{ e }}, dot{{ h }}_{{ j }});
{% endfor %}
        var score{{ h }}_{{ j }} = dot(dot{{ h }}_{{ j }}, vec4<f32>(1.0));
{% endfor %}
{% endfor %}
{% if split > 1 %}
{% for h in range(own_heads) %}
{% for j in range(KEYS) %}
        pieces[half + {{ (h * KEYS + j) * threads }}u + id] = score{{ h }}_{{ j }};
{% endfor %}
{% endfor %}
        workgroupBarrier();
{% for h in range(own_heads) %}
{% for j in range(KEYS) %}
        score{{ h }}_{{ j }} = {% for s in range(split) %}{{ " + " if not loop.first }}pieces[half + {{ (h * KEYS + j) * threads + s }}u + id - lane]{% endfor %};
{% endfor %}
{% endfor %}
        half = {{ threads * KEYS * own_heads }}u - half;
{% endif %}
{% for h in range(own_heads) %}
{% for j in range(KEYS) %}
        score{{ h }}_{{ j }} = select(LOWEST, score{{ h }}_{{ j }}, key{{ j }} < end);
{% endfor %}
        let top{{ h }} = {% for j in range(KEYS) %}max(score{{ h }}_{{ j }}, {% endfor %}highest{{ h }}{{ ")" * KEYS }};
        let shrink{{ h }} = exp2(highest{{ h }} - top{{ h }});
        highest{{ h }} = top{{ h }};
        sum{{ h }} *= shrink{{ h }};
{% for j in range(KEYS) %}
        let weight{{ h }}_{{ j }} = exp2(score{{ h }}_{{ j }} - top{{ h }});
        sum{{ h }} += weight{{ h }}_{{ j }};
{% endfor %}
{% for e in range(own) %}
        o{{ h }}_{{ e }} *= shrink{{ h }};
{% endfor %}
{% endfor %}
{% for j in range(KEYS) %}
{% for e in range(own) %}
        let v{{ j }}_{{ e }} = load_row(cached + {{ batch * kv_heads * past }}u, fresh + {{ batch * kv_heads * tokens }}u, row{{ j }}, {{ at(e) }});
{% for h in range(own_heads) %}
        o{{ h }}_{{ e }} = fma(vec4<f32>(weight{{ h }}_{{ j }}), v{{ j }}_{{ e }}, o{{ h }}_{{ e }});
{% endfor %}
{% endfor %}
{% endfor %}
    }

{% for h in range(own_heads) %}
    {
{% if not even %}
        let live = first + {{ h }}u < {{ group }}u;
{% endif %}
{% if teams > 1 %}
{% if split > 1 %}
        if (lane == 0u) {
            team_highest[team] = highest{{ h }};
            team_sum[team] = sum{{ h }};
        }
{% else %}
        team_highest[team] = highest{{ h }};
        team_sum[team] = sum{{ h }};
{% endif %}
        workgroupBarrier();
        // A team without a key has the lowest maximum, so its share is 0, whatever it summed.
        var top = team_highest[0];
        for (var i = 1u; i < {{ teams }}u; i++) {
            top = max(top, team_highest[i]);
        }
        var total = 0.0;
        for (var i = 0u; i < {{ teams }}u; i++) {
            total = fma(team_sum[i], exp2(team_highest[i] - top), total);
        }
        let share = exp2(highest{{ h }} - top){{ " / total" if parts == 1 }};
{% for e in range(own) %}
        team_o[team * {{ d4 }}u + {{ at(e) }}] = o{{ h }}_{{ e }} * share;
{% endfor %}
        workgroupBarrier();
        for (var at = id; at < {{ d4 }}u; at += {{ threads }}u) {
            var value = team_o[at];
            for (var i = 1u; i < {{ teams }}u; i++) {
                value += team_o[i * {{ d4 }}u + at];
            }
            {{ "if (live) { " if not even }}{% if parts == 1 %}store_head(row_{{ h }}, at, value);{% else %}store_part(row_{{ h }} * {{ parts }}u + place.x, at, value);{% endif %}{{ " }" if not even }}
        }
{% else %}
        let top = highest{{ h }};
        let total = sum{{ h }};
        if ({{ "live" if not even else "true" }}) {
{% for e in range(own) %}
            {% if parts == 1 %}store_head(row_{{ h }}, {{ at(e) }}, o{{ h }}_{{ e }} / total);{% else %}store_part(row_{{ h }} * {{ parts }}u + place.x, {{ at(e) }}, o{{ h }}_{{ e }});{% endif %}

{% endfor %}
        }
{% endif %}
{% if parts > 1 %}
        if (id == 0u{{ " && live" if not even }}) {
            part_sums[row_{{ h }} * {{ parts }}u + place.x] = vec2<f32>(top, total);
        }
{% endif %}
{% if teams > 1 and not loop.last %}
        workgroupBarrier();
{% endif %}
    }
{% endfor %}
}
{% if parts > 1 %}

// One head of one token per workgroup: every part's output, weighted by its maximum, over the sum of all.
@compute @workgroup_size({{ columns }}, 1, 1)
fn merge(@builtin(workgroup_id) place: vec3<u32>, @builtin(local_invocation_index) id: u32) {
    let row = place.y * {{ heads }}u + place.x;
    let first = row * {{ parts }}u;
    var top = part_sums[first].x;
    for (var i = 1u; i < {{ parts }}u; i++) {
        top = max(top, part_sums[first + i].x);
    }
    for (var at = id; at < {{ d4 }}u; at += {{ columns }}u) {
        var total = 0.0;
        var value = vec4<f32>();
        for (var i = 0u; i < {{ parts }}u; i++) {
            let own = part_sums[first + i];
            let share = exp2(own.x - top);
            total = fma(own.y, share, total);
            value = fma(load_part(first + i, at), vec4<f32>(share), value);
        }
        store_head(row, at, value / total);
    }
}
{% endif %}
