internal import TributaryCore

/// Where records are printed, as Kafka Streams' `Printed`.
public struct PrintTarget: Sendable {
    let output: LineOutput

    /// The standard output of the process, written with each record.
    public static var standardOutput: PrintTarget { PrintTarget(output: LineOutput(path: nil)) }

    /// A file, which is emptied when the first task begins to print to it.
    ///
    /// It is written whenever 8 KiB have come together, and when the tasks end: after a crash the last lines may be missing. Tasks that begin
    /// again in the same process add to it.
    public static func file(_ path: String) -> PrintTarget { PrintTarget(output: LineOutput(path: path)) }
}

extension KStream {
    /// Prints a line for each record, `[label]: key, value`; nothing follows.
    ///
    /// For looking at what a topology does, not for its results: after a failure records are printed again. A null is printed as `null`.
    ///
    /// - Parameters:
    ///   - target: where to.
    ///   - label: what the lines begin with; the name of the node before without.
    ///   - named: the node's name.
    public func print(to target: PrintTarget = .standardOutput, label: String? = nil, named: String? = nil) {
        print(target, label, named, { "\(Printer.text($0)), \(Printer.text($1))" }) {
            "\(Printer.text($0)), null"
        }
    }

    /// Prints a line of the user's own for each record, `[label]: line`; nothing follows.
    ///
    /// Tombstones of a type without null aren't printed.
    ///
    /// - Parameters:
    ///   - target: where to.
    ///   - label: what the lines begin with; the name of the node before without.
    ///   - named: the node's name.
    ///   - format: makes a record's line.
    public func print(
        to target: PrintTarget = .standardOutput, label: String? = nil, named: String? = nil,
        @Returning<String> _ format: @escaping @Sendable (Key, Value) throws -> String
    ) {
        print(target, label, named, format, nil)
    }

    private func print(
        _ target: PrintTarget, _ label: String?, _ named: String?,
        _ format: @escaping @Sendable (Key, Value) throws -> String,
        _ formatTombstone: (@Sendable (Key) throws -> String)?
    ) {
        let name = graph.name("KSTREAM-PRINTER-", named)
        let begin = "[\(label ?? graph.nodes[node].name)]: "
        let id = graph.add(name, parents: [node])
        let lines = target.output
        output.attach(id, name) { context in
            let user = UserCode(name, context.services)
            try context.starting(name) { try lines.open() }
            context.onClose { lines.close() }
            return NodeInput(
                call: { key, value, meta in
                    _ = try user.run(meta) { try lines.write(begin + format(key, value)) }
                },
                delete: { key, meta in
                    guard let formatTombstone else { return }
                    _ = try user.run(meta) { try lines.write(begin + formatTombstone(key)) }
                })
        }
    }
}

/// Writes keys and values as text.
enum Printer {
    /// A value as it describes itself; a null as `null`, and what an optional holds without its being one.
    static func text(_ value: some Any) -> String {
        if let optional = value as? any NullableValue {
            if optional.isNullValue { return "null" }
            let mirror = Mirror(reflecting: value)
            if mirror.displayStyle == .optional, let held = mirror.children.first { return "\(held.value)" }
        }
        return "\(value)"
    }
}
