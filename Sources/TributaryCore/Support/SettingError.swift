/// A setting that can't be: which, what it is, and what it can be.
public struct SettingError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The setting's name, as it is written in code.
    public let setting: String
    /// What it is.
    public let value: String
    /// What it can be.
    public let range: String

    /// Makes an error.
    public init(setting: String, value: String, range: String) {
        self.setting = setting
        self.value = value
        self.range = range
    }

    /// One sentence.
    public var description: String { "the setting \(setting) is \(value), but it has to be \(range)" }
}

/// Checks of settings, each in a line.
package enum SettingCheck {
    /// A number from `least` on, to `most` at most.
    package static func number<Number: BinaryInteger>(
        _ setting: String, _ value: Number, from least: Number, through most: Number? = nil
    ) throws(SettingError) {
        if value >= least, most.map({ value <= $0 }) ?? true { return }
        let range = most.map { "\(least) to \($0)" } ?? "\(least) or more"
        throw SettingError(setting: setting, value: "\(value)", range: range)
    }

    /// A time from `least` on, to `most` at most.
    package static func duration(
        _ setting: String, _ value: Duration, from least: Duration, through most: Duration? = nil
    ) throws(SettingError) {
        if value >= least, most.map({ value <= $0 }) ?? true { return }
        let range = most.map { "\(least) to \($0)" } ?? "\(least) or more"
        throw SettingError(setting: setting, value: "\(value)", range: range)
    }

    /// A name that may become that of a topic, a folder or a file.
    package static func name(
        _ setting: String, _ value: String, most: Int = TopicName.maximumLength
    ) throws(SettingError) {
        if TopicName.isValid(value), value.utf8.count <= most { return }
        throw SettingError(
            setting: setting, value: "'\(value)'",
            range: "1 to \(most) of the characters A-Z a-z 0-9 . _ - and neither '.' nor '..'")
    }
}

/// Kafka's rule for names of topics, which all names follow that become topics, folders or files.
package enum TopicName {
    /// How many characters a name may have.
    package static let maximumLength = 249

    /// What a name may be, as a sentence without its full stop.
    package static let rule =
        "a topic's name is 1 to \(maximumLength) of the characters A-Z a-z 0-9 . _ -, and neither '.' nor '..'"

    /// Whether a name is 1 to 249 of `A-Z a-z 0-9 . _ -`, and neither `.` nor `..`.
    package static func isValid(_ name: String) -> Bool {
        guard (1...maximumLength).contains(name.utf8.count), name != ".", name != ".." else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
            default: false
            }
        }
    }
}
