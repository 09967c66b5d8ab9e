internal import TributaryCore

/// Where in its partitions a topic is to be read from, as commands take it.
enum TopicStart: Equatable {
    case beginning
    case end
    /// An offset, which counts as the nearest one that is there.
    case offset(Int64)
    /// The first record of this time or a later one, in milliseconds of the Unix epoch.
    case time(Int64)

    /// What is written behind an option; without it, the beginning.
    ///
    /// - Throws: `UsageError` that names the option.
    init(_ text: String?, option: String) throws(UsageError) {
        switch text {
        case nil, "beginning", "earliest": self = .beginning
        case "end", "latest": self = .end
        case .some(let text):
            if text.hasPrefix("time:") {
                self = .time(try TimeText.milliseconds(String(text.dropFirst(5))))
            } else if let offset = Int64(text), offset >= 0 {
                self = .offset(offset)
            } else {
                throw UsageError("\(option) is 'beginning', 'end', an offset, or 'time:' and a time, not '\(text)'")
            }
        }
    }

    /// The offset in a partition.
    func offset(in place: TopicPartition, of log: any Log, _ ends: Watermarks) throws(LogError) -> Int64 {
        switch self {
        case .beginning: ends.low
        case .end: ends.high
        case .offset(let offset): min(max(offset, ends.low), ends.high)
        case .time(let time): try log.offsets(atOrAfter: [place: time])[place] ?? ends.high
        }
    }
}
