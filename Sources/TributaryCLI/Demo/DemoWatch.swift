internal import TributaryCore
internal import TributaryLMDB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Watches the bank from outside: what it says, and what the log says that it has committed.
final class DemoWatch {
    private let log: EmbeddedLog
    private let console: Console
    private let child: ChildProcess
    private(set) var state = "starting"
    private(set) var restored: Int64 = 0
    private var last: (time: Int64, committed: Int64)?
    private var rate: Int64 = 0
    private var lastLine: Int64 = 0

    init(_ log: EmbeddedLog, _ arguments: [String], _ console: Console) throws {
        self.log = log
        self.console = console
        child = try ChildProcess(arguments)
    }

    /// How many records of the source topics are committed as processed, and how many there are.
    static func progress(_ log: EmbeddedLog) throws -> (committed: Int64, total: Int64) {
        let offsets = try log.committedOffsets(group: DemoBank.application)
        var committed: Int64 = 0
        var total: Int64 = 0
        for topic in ["accounts", "transactions"] {
            for number in 0..<DemoBank.partitions {
                let place = TopicPartition(topic, number)
                let ends = try log.watermarks(place, committed: true)
                total += ends.high - ends.low
                committed += (offsets[place]?.offset ?? ends.low) - ends.low
            }
        }
        return (committed, total)
    }

    /// Shows the live line until everything is committed; throws if the bank ends before.
    func runToEnd() throws {
        if let ending = try run(until: { $0 == $1 }) {
            throw CommandError("the bank ended before it was to: \(ending)")
        }
    }

    /// Shows the live line until the bank ends, and says how; nil if it is through before.
    func runToDeath() throws -> ChildProcess.Ending? { try run(until: { $0 == $1 }) }

    private func run(until isEnough: (_ committed: Int64, _ total: Int64) -> Bool) throws -> ChildProcess.Ending? {
        while true {
            try Interrupt.check()
            for line in child.lines(wait: 20) { take(line) }
            let ending = child.poll()
            let (committed, total) = try Self.progress(log)
            let isLast = ending != nil || isEnough(committed, total)
            show(committed, total, force: isLast)
            if isLast { return ending }
        }
    }

    private func take(_ line: String) {
        let words = line.split(separator: " ")
        if words.first == "state", words.count == 2 { state = String(words[1]) }
        if words.first == "restored", words.count > 1 { restored += Int64(words[1]) ?? 0 }
    }

    private func show(_ committed: Int64, _ total: Int64, force: Bool) {
        let now = TimeSource.system.monotonic.milliseconds
        if let last, now - last.time >= 250 {
            rate = (committed - last.committed) * 1000 / (now - last.time)
            self.last = (now, committed)
        } else if last == nil {
            last = (now, committed)
        }
        let text =
            "   \(state): \(NumberText.grouped(committed)) of \(NumberText.grouped(total)) records committed, "
            + "\(NumberText.grouped(rate)) records/s, lag \(NumberText.grouped(total - committed))"
        if console.isTerminal {
            if force { console.clearStatus() } else { console.status(text) }
        }
        guard force || (!console.isTerminal && now - lastLine >= 500) else { return }
        lastLine = now
        console.line(text)
        console.flush()
    }

    /// Asks the bank to stop and waits for it.
    func stop() -> ChildProcess.Ending {
        child.send(SIGTERM)
        let ending = child.wait()
        for line in child.lines(wait: 0) { take(line) }
        return ending
    }
}
