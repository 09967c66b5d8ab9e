public import TributaryCore

/// Settings of a ``KafkaLog``.
public struct KafkaConfiguration: Sendable {
    /// The first brokers to ask, `host:port` separated by commas.
    public var bootstrap: String
    /// Further properties under librdkafka's names.
    ///
    /// Those that begin with `consumer.` or `producer.` are for readers or writers only. What decides correctness is refused:
    /// see `Docs/Kafka.md`.
    public var properties: [String: String]
    /// How many copies internal topics have; -1 for the broker's default.
    public var replicationFactor: Int16 = -1
    /// How long opening the log waits for a broker.
    public var connectTimeout: Duration = .seconds(30)
    /// How long one request to the brokers may take, with all its retries.
    public var requestTimeout: Duration = .seconds(60)
    /// After how long without a sign of life the group takes an application's tasks away; an hour at most.
    public var sessionTimeout: Duration = .seconds(10)
    /// Where state goes unless said otherwise; an application's lies in a folder of its id below.
    public var stateDirectory: String?
    /// How often offsets are committed again that didn't change: brokers forget them after days.
    package var recommitInterval: Duration = .seconds(6 * 3600)
    /// Whether the brokers can tell the members of a group; pretended ones can't, and librdkafka 2.0 hangs when it asks them.
    package var brokersDescribeGroups = true
    /// Where log lines go.
    public var logs: LogSink = .none

    /// Makes settings.
    public init(bootstrap: String, properties: [String: String] = [:]) {
        self.bootstrap = bootstrap
        self.properties = properties
    }

    /// Refuses settings that can't be.
    func check() throws(LogError) {
        do throws(SettingError) {
            try SettingCheck.duration("connectTimeout", connectTimeout, from: .milliseconds(1))
            try SettingCheck.duration("requestTimeout", requestTimeout, from: .milliseconds(1))
            // librdkafka's own limits.
            try SettingCheck.duration(
                "sessionTimeout", sessionTimeout, from: .milliseconds(1), through: .seconds(3600))
            guard replicationFactor == -1 || replicationFactor > 0 else {
                throw SettingError(
                    setting: "replicationFactor", value: "\(replicationFactor)",
                    range: "1 or more, or -1 for the broker's default")
            }
        } catch {
            throw LogError(.configuration, "\(error)")
        }
    }
}
