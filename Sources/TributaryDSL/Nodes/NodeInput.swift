internal import TributaryCore
public import TributaryLineage

/// The receiving end of a node: what a parent calls with each record.
///
/// Closures that `@inlinable` DSL functions make, so that they are specialised in the module of the user; key and value are
/// parameters of their own, because forming a type of them per record in unspecialised code would cost 25-140 ns a node.
/// The first two are always there; the others say what a node can do without, so that the source need not decode it.
public final class NodeInput<Key, Value> {
    /// Takes a record.
    public let call: (Key, Value, borrowing RecordMeta) throws -> Void
    /// Takes a tombstone of a type that has no null of its own.
    public let delete: (Key, borrowing RecordMeta) throws -> Void
    /// Takes a record without its decoded key; the key's bytes are in the metadata.
    ///
    /// Nil if the node asks for the key.
    public let keyless: ((Value, borrowing RecordMeta) throws -> Void)?
    /// Takes a tombstone without its decoded key.
    ///
    /// There if ``keyless`` is.
    public let keylessDelete: ((borrowing RecordMeta) throws -> Void)?
    /// Takes a record as bytes (nil: null).
    ///
    /// Nil if the node asks for key or value.
    public let bytes: ((RawSpan?, borrowing RecordMeta) throws -> Void)?

    /// Makes a receiving end.
    @inlinable
    public init(
        call: @escaping (Key, Value, borrowing RecordMeta) throws -> Void,
        delete: @escaping (Key, borrowing RecordMeta) throws -> Void,
        keyless: ((Value, borrowing RecordMeta) throws -> Void)? = nil,
        keylessDelete: ((borrowing RecordMeta) throws -> Void)? = nil,
        bytes: ((RawSpan?, borrowing RecordMeta) throws -> Void)? = nil
    ) {
        self.call = call
        self.delete = delete
        self.keyless = keyless
        self.keylessDelete = keylessDelete
        self.bytes = bytes
    }

    /// One receiving end that passes everything to several, in order.
    static func all(_ sinks: [NodeInput<Key, Value>]) -> NodeInput<Key, Value> {
        if sinks.count == 1, let only = sinks.first { return only }
        let calls = sinks.map(\.call)
        let deletes = sinks.map(\.delete)
        let keyless = sinks.compactMap(\.keyless)
        let keylessDeletes = sinks.compactMap(\.keylessDelete)
        let bytes = sinks.compactMap(\.bytes)
        let canSkipKey = keyless.count == sinks.count && keylessDeletes.count == sinks.count
        let keylessAll: (Value, borrowing RecordMeta) throws -> Void = { value, meta in
            for call in keyless { try call(value, meta) }
        }
        let keylessDeleteAll: (borrowing RecordMeta) throws -> Void = { meta in
            for delete in keylessDeletes { try delete(meta) }
        }
        let bytesAll: (RawSpan?, borrowing RecordMeta) throws -> Void = { value, meta in
            for call in bytes { try call(value, meta) }
        }
        return NodeInput(
            call: { key, value, meta in for call in calls { try call(key, value, meta) } },
            delete: { key, meta in for delete in deletes { try delete(key, meta) } },
            keyless: canSkipKey ? keylessAll : nil, keylessDelete: canSkipKey ? keylessDeleteAll : nil,
            bytes: bytes.count == sinks.count ? bytesAll : nil)
    }
}

/// The giving end of a node while a topology is built: collects how to make its children.
public final class Output<Key, Value>: Sendable {
    typealias Child = (name: String, make: @Sendable (NodeContext) throws -> NodeInput<Key, Value>)
    private let children = BuildBox<[Child]>([])
    // Children are added to another output, behind something that stands between.
    private let behind: (output: Output<Key, Value>, wrap: Wrap)?

    /// Makes what stands between from a child, its name and the task.
    @usableFromInline
    typealias Wrap = @Sendable (_ child: NodeInput<Key, Value>, _ name: String, NodeContext) -> NodeInput<Key, Value>

    @usableFromInline
    init() { behind = nil }

    /// The same giving end, with something between it and the children that are added here.
    @usableFromInline
    init(_ output: Output<Key, Value>, _ wrap: @escaping Wrap) {
        behind = (output, wrap)
    }

    /// Adds a child.
    ///
    /// `make` is called once per task; the node that several parents share is made once.
    @usableFromInline
    func attach(_ node: Int, _ name: String, _ make: @escaping @Sendable (NodeContext) throws -> NodeInput<Key, Value>)
    {
        add((name, { context in try context.shared(node) { context.spanned(name, try make(context)) } }))
    }

    private func add(_ child: Child) {
        guard let behind else { return children.withValue { $0.append(child) } }
        behind.output.add((child.name, { context in behind.wrap(try child.make(context), child.name, context) }))
    }

    /// Makes the children for a task, as one.
    @usableFromInline
    func sink(in context: NodeContext) throws -> NodeInput<Key, Value> {
        NodeInput.all(try named(in: context).map(\.sink))
    }

    /// Makes the children for a task, with their names.
    @usableFromInline
    func named(in context: NodeContext) throws -> [(name: String, sink: NodeInput<Key, Value>)] {
        try children.withValue { $0 }.map { ($0.name, try $0.make(context)) }
    }
}
