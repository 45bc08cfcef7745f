# Settings and keys of other formats: each finding says what to write instead.
try() {
  python3 - "$1" "$2" <<'P' > other.yaml
import sys
print(open('p.yaml').read().replace(sys.argv[1] or '\0', sys.argv[2]), end='')
P
  echo "${2#    with: { values: { a: 1 \} \}$'\n'    }"
  oms validate other.yaml | grep -E '^(error|warning|help)' | sed 's/^/    /'
}
setting() { try '    with: { values: { a: 1 } }' "    with: { values: { a: 1 } }
    $1"; }
setting 'needs: store'
setting 'needs: { store: {} }'
setting 'needs: [{ step: store, allow: skipped }]'
setting 'needs: [{ id: store }]'
setting 'retry: 3'
setting 'retry: false'
setting 'retry: { attempts: "3" }'
setting 'retry: { initial_ms: 5s }'
setting 'when: true'
setting 'when: false'
setting 'when: order.id == "x"'
setting 'for_each: ${{ order.items }}'
setting 'for_each: [a, b]'
setting 'timeout: 5s'
setting 'timeout_seconds: 5s'
setting 'on_failure: store'
setting 'on_failure: { step: store }'
setting 'depends_on: [store]'
setting 'if: ${{ order.id == "x" }}'
setting 'retries: 3'
try 'oms: 1' 'oms: "1"'
try 'oms: 1' 'version: 1'
try 'uses: value.compute' 'type: value.compute'
try 'with: { values: { a: 1 } }' 'args: { values: { a: 1 } }'
try 'samples: [order.json]' 'samples: order.json'
try 'steps:' 'tables: { t: { key: id, columns: { id: text } } }
steps:'
try 'steps:' 'tables: { t: { key: [id], columns: [id] } }
steps:'
try 'steps:' 'intake: /orders/{key}
steps:'
