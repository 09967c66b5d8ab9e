import Tributary

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What went wrong, in words.
struct BankError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// A bank as a stream application: `bank load`, `bank run`, `bank balances`.
@main
struct Bank {
    static let usage = """
        usage: bank run DIR [--sample RATIO]
               bank load DIR --accounts N --transactions M [--seed S]
               bank balances DIR

        DIR holds everything: the topics, the state and, in DIR/traces, the traces. With --kafka HOST:PORT the topics are
        those of Apache Kafka. Traces go to a collector instead if OTEL_EXPORTER_OTLP_ENDPOINT is set.
        """

    static func main() async {
        do {
            try await run(Array(CommandLine.arguments.dropFirst()))
        } catch {
            complain("bank: \(error)")
            exit(1)
        }
    }

    static func run(_ arguments: [String]) async throws {
        guard arguments.count >= 2, arguments.count.isMultiple(of: 2) else {
            complain(usage)
            exit(2)
        }
        let directory = arguments[1]
        var options: [String: String] = [:]
        for index in stride(from: 2, to: arguments.count, by: 2) { options[arguments[index]] = arguments[index + 1] }
        func number(_ name: String, _ otherwise: Int) throws -> Int {
            guard let text = options[name] else { return otherwise }
            guard let number = Int(text), number > 0 else { throw BankError("\(name) needs a positive number") }
            return number
        }
        // The one line that decides where the topics are.
        let log: any Log = try options["--kafka"].map { try kafka($0) } ?? EmbeddedLog.open(at: directory)
        defer { log.close() }
        switch arguments[0] {
        case "run":
            guard let ratio = Double(options["--sample"] ?? "0.001") else { throw BankError("--sample needs a number") }
            try await run(directory, on: log, sampling: ratio)
        case "load":
            try load(
                log, accounts: number("--accounts", 1000), transactions: number("--transactions", 10_000),
                seed: UInt64(number("--seed", 1)))
        case "balances": try await balances(log)
        default:
            complain(usage)
            exit(2)
        }
    }

    private static func kafka(_ brokers: String) throws -> any Log {
        try KafkaLog.connect(to: KafkaConfiguration(bootstrap: brokers))
    }

    private static func complain(_ text: String) {
        let line = Array("\(text)\n".utf8)
        _ = write(2, line, line.count)
    }

    static func makeFolder(_ path: String) throws {
        if mkdir(path, 0o755) != 0 && errno != EEXIST {
            throw BankError("\(path): \(String(cString: strerror(errno)))")
        }
    }
}
