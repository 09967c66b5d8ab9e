internal import TributaryCore
public import TributaryLineage
public import TributaryState

/// A suppression in one task: keeps changes, and sends on those whose time has come.
@usableFromInline
final class Suppression {
    private let buffer: SuppressionBuffer
    private let user: UserCode
    private let wait: Int64
    private let limits: BufferLimits
    private let keepsDeletes: Bool
    private let time: ((RawSpan) throws -> Int64)?
    private let forward: (RawSpan?, RawSpan?, borrowing RecordMeta) throws -> Void
    // The greatest timestamp of a change so far, ms.
    private let streamTime = Owned(Int64(-1))

    /// Makes a suppression.
    ///
    /// - Parameters:
    ///   - settings: until when changes wait.
    ///   - buffer: keeps them.
    ///   - user: the node.
    ///   - time: the time of a key, of its bytes, in place of the first change's.
    ///   - forward: gets what is sent on.
    @usableFromInline
    init(
        _ settings: SuppressionSettings, _ buffer: SuppressionBuffer, _ user: UserCode,
        time: ((RawSpan) throws -> Int64)?,
        _ forward: @escaping (RawSpan?, RawSpan?, borrowing RecordMeta) throws -> Void
    ) {
        self.buffer = buffer
        self.user = user
        wait = settings.wait
        limits = settings.limits
        keepsDeletes = settings.keepsDeletes
        self.time = time
        self.forward = forward
    }

    /// Takes a change.
    @usableFromInline
    func update(_ new: RawSpan?, _ old: RawSpan?, _ meta: borrowing RecordMeta) throws {
        streamTime.value = max(streamTime.value, meta.timestamp)
        do { try buffer.put(new, old, meta, time: time) } catch { return try user.failed(error, meta) }
        let due = streamTime.value.subtractingSaturated(wait)
        while let oldest = buffer.oldestTime, oldest <= due { try emit(meta) }
        guard isFull else { return }
        guard limits.emitsEarly else {
            return try user.failed(
                SuppressionBufferFull(
                    node: user.node, records: Int64(buffer.count), maxRecords: limits.records, bytes: buffer.byteCount,
                    maxBytes: limits.bytes), meta)
        }
        while isFull && buffer.count > 0 { try emit(meta) }
    }

    private var isFull: Bool { Int64(buffer.count) > limits.records || buffer.byteCount > limits.bytes }

    private func emit(_ meta: borrowing RecordMeta) throws {
        try buffer.emitOldest(because: meta.lineage.context, deletes: keepsDeletes, forward)
    }
}

/// What a suppression waits for, once its topology is known.
@usableFromInline
struct SuppressionSettings: Sendable {
    /// How long after its time a change waits, ms of stream time.
    let wait: Int64
    let limits: BufferLimits
    /// Whether deletes are sent on.
    let keepsDeletes: Bool
}

extension TopologyGraph {
    /// Checks a suppression of a node's table.
    @usableFromInline
    func settings<Key>(of suppressed: Suppressed<Key>, _ name: String, behind node: Int) -> SuppressionSettings {
        let limits = suppressed.buffer
        if let problem = limits.problem { fail(.invalidSetting, "the suppression '\(name)': \(problem)") }
        switch suppressed.wait {
        case .time(let limit):
            if limit < .zero { fail(.invalidSetting, "the suppression '\(name)' can't wait for less than no time") }
            return SuppressionSettings(wait: limit.milliseconds, limits: limits, keepsDeletes: true)
        case .windowCloses:
            let grace = windowGrace(before: node)
            if grace == nil {
                fail(
                    .invalidSetting,
                    "the suppression '\(name)' waits until windows close, but nothing before it is windowed: wait for a time"
                )
            }
            return SuppressionSettings(wait: grace ?? 0, limits: limits, keepsDeletes: false)
        }
    }

    /// How long windows stay open behind their end, ms: of the aggregations that a node's table is made of, the longest.
    ///
    /// Nil if there is none.
    private func windowGrace(before node: Int) -> Int64? {
        var seen: Set<Int> = []
        return windowGrace(before: node, &seen)
    }

    private func windowGrace(before node: Int, _ seen: inout Set<Int>) -> Int64? {
        if let grace = windowGraces[node] { return grace }
        guard seen.insert(node).inserted else { return nil }
        var parents = nodes[node].parents
        if case .source(let topics) = nodes[node].kind {
            // Behind a repartition topic.
            parents += nodes.indices.filter { index in
                if case .sink(let topic?) = nodes[index].kind { topics.contains(topic) } else { false }
            }
        }
        var longest: Int64?
        for parent in parents {
            if let grace = windowGrace(before: parent, &seen) { longest = max(longest ?? grace, grace) }
        }
        return longest
    }

    /// Describes the store of a suppression.
    @usableFromInline
    func addSuppression(_ store: String, _ settings: SuppressionSettings, isGenerated: Bool, serdes: String, node: Int)
    {
        var description = StoreDescription(
            name: store, kind: .suppression, isPersistent: false, isLogged: settings.limits.logging)
        description.changelogSettings = settings.limits.changelogSettings
        description.hasGeneratedName = isGenerated
        description.serdes = serdes
        addStore(description)
        connect(store, to: node)
    }
}
