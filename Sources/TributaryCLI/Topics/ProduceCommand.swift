internal import TributaryCore

/// `tributary topics produce`.
enum ProduceCommand {
    static let spec = CommandSpec(
        words: ["topics", "produce"], summary: "Writes records into a topic, one for each line of files or of a pipe.",
        details:
            "JSON lines have the member value, and may have key, headers, timestamp (ms), partition and traceparent; others are "
            + "refused, but for those that 'topics consume' prints. A string is its text, null is null (a null value is a "
            + "tombstone), {\"hex\": \"00ff\"} is bytes, any other value is the JSON as it is written, unless --key-format or "
            + "--value-format says what is to be made of it. Without a partition the key decides, as Java's producer would.\n"
            + "The first line that can't be read stops it with its number; the lines before it are written.",
        operands: [
            OperandSpec(name: "TOPIC", summary: "the topic's name"),
            OperandSpec(name: "FILE", summary: "files with lines; '-' or none: standard input", arity: .any),
        ],
        options: LogAccess.options + [
            .choice(
                "format", LineFormat.Kind.allCases.map(\.rawValue),
                "lines of JSON (json, the default), of KEY:VALUE (text), or whole lines as values (value)"),
            .format("key-format", windows: true, "what keys are written as: \(BytesFormat.keyHelp)"),
            .format("value-format", "what values are written as: \(BytesFormat.valueHelp)"),
            .text("separator", "TEXT", "what stands between key and value of text lines (:)"),
            .text("null", "TEXT", "keys and values of text lines, and whole lines, that are null"),
            .integer("partition", "P", "write everything into this partition"),
            .flag("by-key", "let the keys decide, whatever partitions the lines name"),
        ],
        examples: [
            "echo '{\"key\":\"DE1\",\"value\":{\"cents\":500}}' | tributary topics produce transactions --log ./bank-data",
            "tributary topics produce words --format text --log ./log words.txt",
            "echo '42=1.5' | tributary topics produce prices --format text --separator = --key-format int64 "
                + "--value-format double --log ./log",
        ], run: { try run($0, $1) })

    private static func run(_ arguments: Arguments, _ console: Console) throws -> Int32 {
        var format = LineFormat(
            key: BytesFormat(arguments["key-format"]), value: BytesFormat(arguments["value-format"]))
        format.kind = arguments["format"].flatMap { LineFormat.Kind(rawValue: $0) } ?? .json
        format.separator = Array((arguments["separator"] ?? ":").utf8)
        format.null = arguments["null"].map { Array($0.utf8) }
        guard !format.separator.isEmpty else { throw UsageError("--separator must not be empty") }
        let log = try LogAccess.open(arguments)
        defer { log.close() }
        let topic = try LogAccess.topic(arguments.operand(0), of: log)
        if arguments.has("partition") { _ = try LogAccess.partitions(arguments, of: topic) }
        let fixed = arguments.integer("partition").map { Int32(truncatingIfNeeded: $0) }
        var writer = try TopicWriter(log, topic, fixed, byKey: arguments.has("by-key"))
        defer { writer.close() }
        let paths = Array(arguments.operands.dropFirst())
        for path in paths.isEmpty ? ["-"] : paths {
            let reader = try LineReader(path)
            var bar = ProgressBar(console, path, total: path == "-" ? 1 : Files.size(path) ?? 1)
            while let line = try reader.next() {
                if line.isEmpty && format.kind != .value { continue }
                do { try writer.write(try format.record(line)) } catch {
                    try writer.flush()
                    throw CommandError("\(reader.place): \(error); \(writer.count) records before it are written")
                }
                // Whoever waits at the other end of a pipe sees each line at once.
                if !reader.hasLine { try writer.flush() }
                if path != "-" { bar.update(reader.bytes) }
            }
            bar.finish()
        }
        try writer.flush()
        console.note("wrote \(writer.count) record\(writer.count == 1 ? "" : "s") to \(topic.name)")
        return 0
    }
}

/// Writes records into one topic.
struct TopicWriter {
    private let producer: any LogProducer
    private let number: Int
    private let partitions: Int32
    private let fixed: Int32?
    private let byKey: Bool
    private(set) var count = 0

    init(_ log: any Log, _ topic: TopicDescription, _ fixed: Int32?, byKey: Bool) throws {
        self.byKey = byKey
        producer = try log.makeProducer(ProducerConfiguration(clientID: "tributary-produce"))
        number = try producer.number(ofTopic: topic.name)
        partitions = topic.partitions
        self.fixed = fixed
    }

    mutating func write(_ record: RecordInput) throws {
        let key = record.key ?? []
        let value = record.value ?? []
        let headers = record.headers.encoded
        var target = fixed ?? (byKey ? nil : record.partition)
        if let target, target >= partitions {
            throw CommandError(
                "there is no partition \(target)\(fixed == nil ? "; --by-key leaves it to the keys" : "")")
        }
        if target == nil {
            target =
                record.key == nil
                ? Int32(count % Int(partitions)) : partition(forKey: key.span.bytes, count: partitions)
        }
        let time = record.timestamp ?? TimeSource.system.wall.milliseconds
        // A span can't be made of an optional array in one expression.
        switch (record.key == nil, record.value == nil) {
        case (false, false): try send(target ?? 0, time, key.span.bytes, value.span.bytes, headers, record.context)
        case (false, true): try send(target ?? 0, time, key.span.bytes, nil, headers, record.context)
        case (true, false): try send(target ?? 0, time, nil, value.span.bytes, headers, record.context)
        case (true, true): try send(target ?? 0, time, nil, nil, headers, record.context)
        }
        count += 1
    }

    private func send(
        _ partition: Int32, _ time: Int64, _ key: RawSpan?, _ value: RawSpan?, _ headers: [UInt8],
        _ context: TraceContext
    ) throws {
        try producer.send(
            OutgoingRecord(timestamp: time, key: key, value: value, headers: headers.span.bytes, context: context),
            topic: number, partition: partition)
    }

    func flush() throws { try producer.flush() }

    func close() { producer.close() }
}
