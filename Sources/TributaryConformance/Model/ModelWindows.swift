/// A grouping with windows of the model, while its topology is built.
struct ModelWindowing {
    /// The id of the grouping, or of the cogrouping.
    let input: String
    let shape: WindowShape
    let emitsOnClose: Bool

    /// How long the store keeps rows at least.
    var retention: Int64 {
        switch shape {
        case .tumbling(let size, let grace), .hopping(let size, _, let grace):
            Int64(clamping: Int128(size) + Int128(grace))
        case .unlimited: Int64.max
        case .sliding(let difference, let grace): Int64(clamping: 2 * Int128(difference) + Int128(grace))
        case .session(let gap, let grace): Int64(clamping: Int128(gap) + Int128(grace))
        }
    }

    /// How long windows take records behind their end.
    var grace: Int64 {
        switch shape {
        case .tumbling(_, let grace), .hopping(_, _, let grace), .sliding(_, let grace): grace
        case .unlimited: 0
        case .session(let gap, let grace): Int64(clamping: Int128(gap) + Int128(grace))
        }
    }

    var hasSessions: Bool { if case .session = shape { true } else { false } }

    /// Whether the store may be cached: not where sessions or sliding windows wait to be closed.
    var mayBeCached: Bool {
        switch shape {
        case .session, .sliding: !emitsOnClose
        default: true
        }
    }
}

/// How an aggregation of the model combines values.
struct ModelSteps {
    let add: (CaseKey, CaseValue, CaseValue?) throws -> CaseValue
    let merge: (CaseKey, CaseValue?, CaseValue) throws -> CaseValue
    /// What a first update replaces, without a cache.
    var initial = CaseValue.null
}

/// A windowed aggregation of the model: its stream time, and how far its windows have closed (Docs/Semantics.md, Windows).
///
/// In numbers that are wide enough for all times.
final class ModelWindowed {
    private let shape: WindowShape
    private let emits: Bool
    private let store: ModelStore
    private let steps: ModelSteps
    private var streamTime: Int64 = -1
    private var last: Int128 = -1

    init(_ windowing: ModelWindowing, _ store: ModelStore, _ steps: ModelSteps) {
        shape = windowing.shape
        emits = windowing.emitsOnClose
        self.store = store
        self.steps = steps
    }

    func process(_ node: ModelNode, _ record: ModelRecord) throws {
        guard record.key != .null else { return }
        switch shape {
        case .tumbling(let size, let grace): try addAligned(node, record, size, size, grace)
        case .hopping(let size, let advance, let grace): try addAligned(node, record, size, advance, grace)
        case .unlimited: throw CaseError("the model doesn't know these windows")
        case .sliding(let difference, let grace):
            guard record.value != .null else { return }
            try addSliding(node, record, difference, grace)
        case .session(let gap, let grace): try addSession(node, record, gap, grace)
        }
    }

    // MARK: Rows

    private func write(
        _ node: ModelNode, _ key: CaseKey, _ value: CaseValue, old: CaseValue = .null, time: Int64,
        _ record: ModelRecord
    ) throws {
        store.write(key, value, time: store.isTimestamped ? time : record.time, record)
        guard !store.isCached && !emits else { return }
        try node.send(
            ModelRecord(
                key: key, value: value, time: time, headers: store.hasSessions ? [] : record.headers,
                old: old))
    }

    private func window(_ record: ModelRecord, _ start: Int64, _ size: Int64) -> CaseKey {
        .windowed(record.key.innerKey, start: start, end: Int64(clamping: Int128(start) + Int128(size)))
    }

    /// Adds a record to a row that was read, or begins one.
    private func update(_ node: ModelNode, _ key: CaseKey, _ record: ModelRecord, _ old: ModelRow?) throws {
        let value = try steps.add(record.key, record.value, old?.value)
        try write(
            node, key, value, old: old?.value ?? steps.initial, time: max(record.time, old?.time ?? record.time), record
        )
    }

    private func emit(
        _ node: ModelNode, _ record: ModelRecord, _ close: Int128, from first: Int128, through last: Int128
    )
        throws
    {
        for (key, row) in store.closing(from: first, through: last) {
            let time = store.hasSessions ? store.time(of: key) ?? 0 : row.time
            try node.send(ModelRecord(key: key, value: row.value, time: time, headers: record.headers))
        }
        self.last = close
    }

    // MARK: Tumbling and hopping

    private func addAligned(
        _ node: ModelNode, _ record: ModelRecord, _ size: Int64, _ advance: Int64, _ grace: Int64
    ) throws {
        streamTime = max(streamTime, record.time)
        let close = Int128(streamTime) - Int128(grace)
        let step = Int128(advance)
        var start = max(Int128(record.time) - Int128(size) + step, 0) / step * step
        while start <= Int128(record.time) {
            if start + Int128(size) > close {
                let key = window(record, Int64(clamping: start), size)
                try update(node, key, record, store.read(key))
            }
            start += step
        }
        let upper = close - Int128(size)
        guard emits, last == -1 || last < close, upper >= 0 else { return }
        func windows(_ time: Int128) -> [Int128] {
            [max(time - Int128(size) + step, 0) / step * step, time / step * step]
        }
        var lower: Int128 = 0
        if last != -1 {
            lower = max(last - Int128(size), 0) + 1
            guard windows(upper) != windows(lower - 1) else { return }
        }
        try emit(node, record, close, from: lower, through: upper)
    }

    // MARK: Sessions

    private func addSession(_ node: ModelNode, _ record: ModelRecord, _ gap: Int64, _ grace: Int64) throws {
        streamTime = max(streamTime, record.time)
        let close = Int128(streamTime) - Int128(grace) - Int128(gap)
        let time = Int128(record.time)
        var found: [(key: CaseKey, start: Int64, end: Int64, value: CaseValue)] = []
        for (key, row) in store.all() {
            guard case .windowed(let inner, let start, let end) = key, inner == record.key.innerKey,
                Int128(end) >= time - Int128(gap), Int128(start) <= time + Int128(gap)
            else { continue }
            found.append((key, start, end, row.value))
        }
        found.sort { ($0.end, $0.start) < ($1.end, $1.start) }
        let start = min(record.time, found.map(\.start).min() ?? record.time)
        let end = max(record.time, found.map(\.end).max() ?? record.time)
        if Int128(end) >= close {
            var value: CaseValue?
            for session in found { value = try steps.merge(record.key, value, session.value) }
            if start != record.time || end != record.time {
                for session in found {
                    try write(node, session.key, .null, old: session.value, time: session.end, record)
                }
            }
            let key = CaseKey.windowed(record.key.innerKey, start: start, end: end)
            try write(node, key, try steps.add(record.key, record.value, value), time: end, record)
        }
        guard emits, last == -1 || last < close, close >= 1 else { return }
        try emit(node, record, close, from: max(last, 0), through: close - 1)
    }

    // MARK: Sliding windows

    private func addSliding(_ node: ModelNode, _ record: ModelRecord, _ size: Int64, _ grace: Int64) throws {
        streamTime = max(streamTime, record.time)
        let close = Int128(streamTime) - Int128(grace)
        let at = record.time
        guard Int64(clamping: Int128(at) + Int128(size)) >= close else { return }
        let next = Int64(clamping: Int128(at) + 1)
        var seen: [(start: Int64, row: ModelRow)] = []
        for (key, row) in store.all() {
            guard case .windowed(let inner, let start, _) = key, inner == record.key.innerKey,
                Int128(start) >= Int128(at) - 2 * Int128(size), start <= next
            else { continue }
            seen.append((start, row))
        }
        seen.sort { $0.start < $1.start }
        func isOpen(_ start: Int64) -> Bool { Int128(Int64(clamping: Int128(start) + Int128(size))) >= close }
        func add(_ start: Int64, _ old: ModelRow?) throws {
            if isOpen(start) { try update(node, window(record, start, size), record, old) }
        }
        func copy(_ row: ModelRow?) throws {
            guard let row, row.time > at, !seen.contains(where: { $0.start == next }) else { return }
            try write(node, window(record, next, size), row.value, time: row.time, record)
        }
        if at < size {
            try addEarly(at, seen, add, copy)
            return
        }
        guard try addFull(at, size, next, seen, add, copy) else { return try emitSliding(node, record, close, size) }
        try emitSliding(node, record, close, size)
    }

    private func addEarly(
        _ at: Int64, _ seen: [(start: Int64, row: ModelRow)], _ add: (Int64, ModelRow?) throws -> Void,
        _ copy: (ModelRow?) throws -> Void
    ) throws {
        let combined = seen.first { $0.start == 0 }?.row
        var right: ModelRow?
        for (start, row) in seen where start > 0 && start <= at {
            right = row
            try add(start, row)
        }
        try copy(right ?? combined)
        if let combined, combined.time < at, !seen.contains(where: { $0.start == combined.time + 1 }) {
            try add(combined.time + 1, nil)
        }
        try add(0, combined)
    }

    // Returns false where a record of the same time was there.
    private func addFull(
        _ at: Int64, _ size: Int64, _ next: Int64, _ seen: [(start: Int64, row: ModelRow)],
        _ add: (Int64, ModelRow?) throws -> Void, _ copy: (ModelRow?) throws -> Void
    ) throws -> Bool {
        var right: ModelRow?
        var left: ModelRow?
        var previous: Int64?
        var hasLeft = false
        var starts: Set<Int64> = []
        for (start, row) in seen.reversed() {
            starts.insert(start)
            if start == next { continue }
            if start > at - size {
                right = right ?? row
                try add(start, row)
            } else if start == at - size {
                hasLeft = true
                try add(start, row)
                guard row.time < at else { return false }
                previous = row.time
            } else {
                left = row
                previous = row.time
                break
            }
        }
        if let previous {
            let behind = Int64(clamping: Int128(previous) + 1)
            if !starts.contains(behind), Int128(behind) + Int128(size) >= Int128(at) { try add(behind, nil) }
        }
        if !hasLeft {
            let isNear = previous.map { $0 >= at - size } ?? false
            // A window that begins with what another has is of the record's time.
            try add(at - size, isNear ? left.map { ModelRow(value: $0.value, time: at) } : nil)
        }
        try copy(right)
        return true
    }

    private func emitSliding(_ node: ModelNode, _ record: ModelRecord, _ close: Int128, _ size: Int64) throws {
        let upper = close - Int128(size) - 1
        guard emits, last == -1 || last < close, upper >= 0 else { return }
        try emit(node, record, close, from: last == -1 ? 0 : max(last - Int128(size), 0), through: upper)
    }
}
