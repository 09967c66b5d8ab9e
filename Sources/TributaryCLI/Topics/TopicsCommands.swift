internal import TributaryCore
internal import TributaryLineage

/// `tributary topics list`, `describe`, `create`, `delete`.
enum TopicsCommands {
    private static let name = OperandSpec(name: "TOPIC", summary: "the topic's name")
    static let json = OptionSpec.flag("json", "JSON, one object a line, for programs")

    static let specs = [
        CommandSpec(
            words: ["topics", "list"], summary: "Lists the topics with their partitions and records.",
            options: LogAccess.options + [json],
            examples: ["tributary topics list --log ./bank-data", "tributary topics list --kafka localhost:9092"],
            run: { arguments, console in
                let log = try LogAccess.open(arguments, for: .reading)
                defer { log.close() }
                let topics = try log.topics().map { try TopicReport($0, log) }
                if arguments.has("json") {
                    for topic in topics { console.line(topic.json) }
                } else if topics.isEmpty {
                    console.note("there are no topics; 'tributary topics create' makes one")
                } else {
                    let width = topics.map(\.topic.name.count).max() ?? 0
                    for topic in topics {
                        let pad = String(repeating: " ", count: width - topic.topic.name.count)
                        console.line("\(topic.topic.name)\(pad)  \(topic.summary)")
                    }
                }
                return 0
            }),
        CommandSpec(
            words: ["topics", "describe"],
            summary: "Shows a topic's settings, the ends of its partitions, and how far a group has read it.",
            operands: [name],
            options: LogAccess.options + [.text("group", "ID", "show this group's offsets and lag"), json],
            examples: ["tributary topics describe transactions --log ./bank-data --group bank"],
            run: { arguments, console in
                let log = try LogAccess.open(arguments, for: .reading)
                defer { log.close() }
                let topic = try LogAccess.topic(arguments.operand(0), of: log)
                let report = try TopicReport(topic, log, group: arguments["group"])
                if arguments.has("json") { console.line(report.json) } else { report.lines.forEach(console.line) }
                return 0
            }),
        CommandSpec(
            words: ["topics", "create"], summary: "Creates topics; makes an embedded log if it isn't there.",
            details: "Settings have Kafka's names and defaults: cleanup.policy (delete, compact), retention.ms, "
                + "retention.bytes, delete.retention.ms, min.compaction.lag.ms, max.message.bytes and so on.\n"
                + "A name is said like this: \(TopicName.rule).",
            operands: [OperandSpec(name: "TOPIC", summary: "the names of the topics", arity: .some)],
            options: LogAccess.options + [
                .integer("partitions", "N", "how many partitions each has (1)"),
                .text("set", "NAME=VALUE", "a setting; may be given several times", repeated: true),
                .flag("if-missing", "leave topics alone that are there already"),
            ],
            examples: [
                "tributary topics create accounts transactions --partitions 4 --log ./bank-data",
                "tributary topics create prices --set cleanup.policy=compact --log ./bank-data",
            ],
            run: { try create($0, $1) }),
        CommandSpec(
            words: ["topics", "delete"], summary: "Deletes topics with all their records.",
            details: "There is no way back, so --yes must be given.",
            operands: [OperandSpec(name: "TOPIC", summary: "the names of the topics", arity: .some)],
            options: LogAccess.options + [.flag("yes", "really delete")],
            examples: ["tributary topics delete prices --yes --log ./bank-data"],
            run: { arguments, console in
                let log = try LogAccess.open(arguments)
                defer { log.close() }
                let topics = try arguments.operands.map { try LogAccess.topic($0, of: log) }
                guard arguments.has("yes") else {
                    throw UsageError("this deletes \(topics.map(\.name).joined(separator: ", ")) for good: add --yes")
                }
                try log.deleteTopics(topics.map(\.name))
                for topic in topics { console.line("deleted \(topic.name)") }
                return 0
            }),
    ]

    private static func create(_ arguments: Arguments, _ console: Console) throws -> Int32 {
        let settings = try LogAccess.pairs(arguments, "set")
        guard let partitions = Int32(exactly: arguments.integer("partitions") ?? 1), partitions > 0 else {
            throw UsageError("--partitions must be 1 or more")
        }
        let log = try LogAccess.open(arguments, for: .creating)
        defer { log.close() }
        for name in arguments.operands {
            if arguments.has("if-missing"), let topic = try log.topic(name) {
                guard topic.partitions == partitions else {
                    throw CommandError("'\(name)' is there with \(topic.partitions) partitions, not \(partitions)")
                }
                console.line("\(name) is there already")
                continue
            }
            try log.createTopics([TopicSpecification(name, partitions: partitions, settings: settings)])
            console.line("created \(name) with \(partitions) partition\(partitions == 1 ? "" : "s")")
        }
        return 0
    }
}

/// What is known of a topic.
struct TopicReport {
    struct Partition {
        var ends: Watermarks
        var committed: Int64?
    }

    let topic: TopicDescription
    private(set) var partitions: [Partition] = []
    private let group: String?

    init(_ topic: TopicDescription, _ log: any Log, group: String? = nil) throws {
        self.topic = topic
        self.group = group
        let offsets = try group.map { try log.committedOffsets(group: $0) } ?? [:]
        for number in 0..<topic.partitions {
            let place = TopicPartition(topic.name, number)
            partitions.append(
                Partition(ends: try log.watermarks(place, committed: true), committed: offsets[place]?.offset))
        }
    }

    private var records: Int64 { partitions.reduce(0) { $0 + $1.ends.high - $1.ends.low } }

    /// Offsets, not records: compaction leaves gaps.
    var summary: String {
        let policy = topic.settings["cleanup.policy"].map { "  \($0)" } ?? ""
        let count = topic.partitions == 1 ? "1 partition " : "\(topic.partitions) partitions"
        return "\(count)  \(NumberText.grouped(records)) offsets\(policy)"
    }

    var lines: [String] {
        var lines = ["\(topic.name)  \(summary)", "  identity \(topic.identity)"]
        for (name, value) in topic.settings.sorted(by: { $0.key < $1.key }) { lines.append("  \(name)=\(value)") }
        for (number, partition) in partitions.enumerated() {
            var line = "  partition \(number): offsets \(partition.ends.low) to \(partition.ends.high)"
            if let group {
                if let committed = partition.committed {
                    line += ", \(group) at \(committed), lag \(max(partition.ends.high - committed, 0))"
                } else {
                    line += ", \(group) has committed nothing"
                }
            }
            lines.append(line)
        }
        return lines
    }

    var json: String {
        var writer = ByteWriter()
        writer.appendObject { writer, members in
            members.string("topic", topic.name, &writer)
            members.string("identity", topic.identity, &writer)
            members.name("settings", &writer)
            writer.appendObject { writer, inner in
                for (name, value) in topic.settings.sorted(by: { $0.key < $1.key }) {
                    inner.string(name, value, &writer)
                }
            }
            members.name("partitions", &writer)
            writer.append(0x5b)
            for (number, partition) in partitions.enumerated() {
                if number > 0 { writer.append(0x2c) }
                writer.appendObject { writer, inner in
                    inner.integer("partition", Int64(number), &writer)
                    inner.integer("low", partition.ends.low, &writer)
                    inner.integer("high", partition.ends.high, &writer)
                    if let committed = partition.committed {
                        inner.integer("committed", committed, &writer)
                        inner.integer("lag", max(partition.ends.high - committed, 0), &writer)
                    }
                }
            }
            writer.append(0x5d)
        }
        return writer.text
    }
}
