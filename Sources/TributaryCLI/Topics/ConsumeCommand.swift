internal import TributaryCore
internal import TributaryLineage

/// `tributary topics consume`.
enum ConsumeCommand {
    static let spec = CommandSpec(
        words: ["topics", "consume"], summary: "Prints a topic's records with their coordinates and headers.",
        details:
            "Reads all partitions from the first record up to the end, unless said otherwise; records of one partition "
            + "come in order. Nothing is committed: reading changes nothing, and needs no right to write into the log's folder.\n"
            + "auto shows text, or hex where bytes are none. A windowed key shows as KEY@START, a session's as "
            + "KEY@START/END; null is null, the text null stands in quotes.",
        operands: [OperandSpec(name: "TOPIC", summary: "the topic's name")],
        options: LogAccess.options + [
            .integer("partition", "P", "only this partition"),
            .text("from", "WHERE", "begin at 'beginning' (the default), 'end', an offset, or 'time:' and a time"),
            .integer("max", "N", "stop after so many records"), .flag("follow", "wait for more records at the end"),
            .text("key", "KEY", "only records with this key, typed as --key-format says"),
            .format("key-format", windows: true, "how keys are shown: \(BytesFormat.keyHelp)"),
            .format(
                "value-format", "how values are shown: \(BytesFormat.valueHelp). json puts them into --json as they are"
            ),
            .flag("json", "JSON, one object a line, as 'topics produce' reads it"),
        ],
        examples: [
            "tributary topics consume balance-updates --max 10 --log ./bank-data",
            "tributary topics consume transactions --from time:2026-01-31T12:00:00Z --follow --log ./bank-data",
            "tributary topics consume views-by-region --key-format windowed:text --value-format int64 --log ./log",
            "tributary topics consume prices --json --log ./a | tributary topics produce prices --by-key --log ./b",
        ], run: { try run($0, $1) })

    private static func run(_ arguments: Arguments, _ console: Console) throws -> Int32 {
        let start = try TopicStart(arguments["from"], option: "--from")
        let most = arguments.integer("max") ?? .max
        guard most >= 0 else { throw UsageError("--max must not be negative") }
        let keyFormat = BytesFormat(arguments["key-format"])
        let wanted = try arguments["key"].map { text throws(UsageError) in try keyFormat.bytes(text) }
        let log = try LogAccess.open(arguments, for: .reading)
        defer { log.close() }
        let topic = try LogAccess.topic(arguments.operand(0), of: log)
        let text = RecordText(
            key: keyFormat, value: BytesFormat(arguments["value-format"]),
            names: try LogAccess.sourceNames(log))
        let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "tributary-consume"))
        defer { consumer.close() }
        var numbers: [Int: (partition: Int32, end: Int64)] = [:]
        for place in try LogAccess.partitions(arguments, of: topic) {
            let ends = try log.watermarks(place, committed: true)
            let from = try start.offset(in: place, of: log, ends)
            numbers[try consumer.assign(place, from: from)] = (place.partition, ends.high)
        }
        let follows = arguments.has("follow")
        var left = most
        while left > 0 {
            let isAtEnd = numbers.allSatisfy { consumer.position($0.key) >= $0.value.end }
            if isAtEnd && !follows { break }
            guard let batch = try consumer.poll(timeout: 1000) else { continue }
            guard let place = numbers[batch.assignment] else { continue }
            for index in 0..<batch.count where left > 0 && (follows || batch.offset(index) < place.end) {
                if let wanted, !isKey(batch.key(index), wanted) { continue }
                left -= 1
                if arguments.has("json") {
                    try console.row(text.json(topic.name, place.partition, batch, index))
                } else {
                    for line in text.lines(topic.name, place.partition, batch, index) { try console.row(line) }
                }
            }
            if follows { console.flush() }
        }
        return 0
    }

    private static func isKey(_ key: RawSpan?, _ wanted: [UInt8]) -> Bool {
        guard let key else { return false }
        return key.isEqual(to: wanted.span.bytes)
    }
}
