/// A canned processor of the model; section 6 of the format.
struct ModelProcessor {
    private let kind: ProcessorShape.Kind
    private let store: ModelStore?
    private let times: Int64
    private let back: Int64
    private let header: CaseHeader

    init(_ shape: ProcessorShape, _ store: ModelStore?) throws {
        kind = shape.kind
        self.store = store
        times = try shape.fields.integer("n") ?? 0
        back = try shape.fields.integer("backMs") ?? 0
        header = CaseHeader(try shape.fields.text("name") ?? "", try shape.fields.text("value") ?? "")
        switch kind {
        case .pass, .times, .addHeader: break
        case .fold, .readTable, .dedup, .kvAll, .window:
            if store == nil { throw CaseError("the model's '\(kind.rawValue)' has no store") }
        default: throw CaseError("the model doesn't know the processor '\(kind.rawValue)'")
        }
    }

    func process(_ record: ModelRecord, _ forward: (ModelRecord) throws -> Void) throws {
        switch kind {
        case .pass: return try forward(record)
        case .times:
            for _ in 0..<max(times, 0) { try forward(record) }
            return
        case .addHeader:
            var record = record
            record.headers.append(header)
            return try forward(record)
        default: break
        }
        guard let store else { return }
        switch kind {
        case .readTable:
            let row = record.key == .null ? nil : store.read(record.key)
            let found = row.map { "\(shown($0.value.text))@\($0.time)" } ?? "~"
            try forward(record.with(value: .text("\(shown(record.value.text))&\(found)")))
        case .dedup:
            guard record.key != .null else { return try forward(record) }
            if (store.read(record.key)?.value ?? .null) != record.value {
                store.write(record.key, record.value, time: record.time, record)
                try forward(record)
            }
        case .kvAll:
            if record.key != .null { store.write(record.key, record.value, time: record.time, record) }
            let rows = store.all().map { (key: shown($0.key.innerKey), value: shown($0.row.value.text)) }
            func list(_ parts: [String]) -> String { "[\(parts.joined(separator: ","))]" }
            let text =
                list(rows.map { "\($0.key)=\($0.value)" }) + list(rows.reversed().map(\.key))
                + list(rows.filter { $0.key >= "b" && $0.key <= "d" }.map(\.key))
                + list(rows.filter { $0.key.hasPrefix("a") }.map(\.key))
            try forward(record.with(value: .text(text)))
        case .window:
            guard record.key != .null else { return }
            let end = Int64(clamping: Int128(record.time) + Int128(store.windowSize))
            let key = CaseKey.windowed(record.key.innerKey, start: record.time, end: end)
            store.write(key, record.value, time: record.time, record)
            let first = max(0, record.time - back)
            let found = store.all().compactMap { row -> String? in
                guard case .windowed(let inner, let start, _) = row.key, inner == record.key.innerKey,
                    start >= first, start <= record.time
                else { return nil }
                return "\(start)=\(shown(row.row.value.text))"
            }
            try forward(record.with(value: .text("[\(found.joined(separator: ","))]")))
        default:
            guard record.key != .null, let text = record.value.text else { return }
            let value = CaseValue.text((store.read(record.key)?.value.text ?? "") + text)
            store.write(record.key, value, time: record.time, record)
            try forward(record.with(value: value))
        }
    }

    /// What `fold` does when it is due: gives on all rows and deletes them.
    func punctuate(_ now: Int64, _ forward: (ModelRecord) throws -> Void) throws {
        guard let store else { return }
        for (key, row) in store.all() {
            let record = ModelRecord(key: key, value: row.value, time: now)
            try forward(record)
            store.write(key, .null, time: now, record)
        }
    }
}
