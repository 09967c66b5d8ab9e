public import TributaryLineage

/// What can stand behind a node: the receiving ends of streams (``NodeInput``) and of tables (``TableInput``).
public protocol NodeReceiver: AnyObject, SendableMetatype {
    /// Runs what is given to it, before or after something of its own.
    typealias Around = (borrowing RecordMeta, (borrowing RecordMeta) throws -> Void) throws -> Void

    /// One receiving end that passes everything to several, in order.
    static func all(_ receivers: [Self]) -> Self
    /// The same receiving end, run within something else.
    func within(_ around: @escaping Around) -> Self
}

/// The giving end of a node while a topology is built: collects how to make its children.
public final class NodeOutput<Input: NodeReceiver>: Sendable {
    typealias Child = (node: Int, name: String, make: @Sendable (NodeContext) throws -> Input)
    private let children = BuildBox<[Child]>([])
    // Children are added to another output, behind something that stands between.
    private let behind: (output: NodeOutput<Input>, wrap: Wrap)?

    /// Makes what stands between from a child, its name and the task.
    @usableFromInline
    typealias Wrap = @Sendable (_ child: Input, _ name: String, NodeContext) -> Input

    @usableFromInline
    init() { behind = nil }

    /// The same giving end, with something between it and the children that are added here.
    @usableFromInline
    init(_ output: NodeOutput<Input>, _ wrap: @escaping Wrap) {
        behind = (output, wrap)
    }

    /// Adds a child.
    ///
    /// `make` is called once per task; the node that several parents share is made once.
    @usableFromInline
    func attach(_ node: Int, _ name: String, _ make: @escaping @Sendable (NodeContext) throws -> Input) {
        add((node, name, { context in try context.shared(node) { context.spanned(name, try make(context)) } }))
    }

    private func add(_ child: Child) {
        guard let behind else { return children.withValue { $0.append(child) } }
        behind.output.add(
            (child.node, child.name, { context in behind.wrap(try child.make(context), child.name, context) }))
    }

    /// Moves the children for which `isMoved` is true to another giving end, in their order.
    func moveChildren(to other: NodeOutput<Input>, where isMoved: (_ node: Int) -> Bool = { _ in true }) {
        let moved = children.withValue { children in
            let moved = children.filter { isMoved($0.node) }
            children.removeAll { isMoved($0.node) }
            return moved
        }
        for child in moved { other.add(child) }
    }

    /// Makes the children for a task, as one.
    @usableFromInline
    func sink(in context: NodeContext) throws -> Input {
        Input.all(try named(in: context).map(\.sink))
    }

    /// Makes the children for a task, with their names.
    @usableFromInline
    func named(in context: NodeContext) throws -> [(name: String, sink: Input)] {
        try children.withValue { $0 }.filter { context.has($0.node) }.map { ($0.name, try $0.make(context)) }
    }
}

/// The giving end of a node of a stream.
public typealias Output<Key, Value> = NodeOutput<NodeInput<Key, Value>>

/// The giving end of a node of a table.
public typealias TableOutput<Key, Value> = NodeOutput<TableInput<Key, Value>>

extension NodeContext {
    /// At the level `full` every operator has a span of its own; below it, the node as it is.
    func spanned<Input: NodeReceiver>(_ name: String, _ sink: Input) -> Input {
        guard recorder.isRecording, recorder.level >= .full else { return sink }
        let operation = recorder.operation(
            "operate \(name)", kind: .internal, attributes: [AttributeNames.processor: .string(name)])
        let recorder = recorder
        return sink.within { meta, body in
            guard recorder.makesSpan(meta.lineage.context, .full) else { return try body(meta) }
            let span = recorder.begin(operation, parent: meta.lineage.context, origin: .none)
            do {
                let lineage = CollectionOfOne(Lineage(context: span.context, cell: meta.lineage.cell))
                try body(meta.with(lineage.span))
            } catch {
                recorder.end(span, error: error)
                throw error
            }
            recorder.end(span)
        }
    }
}
