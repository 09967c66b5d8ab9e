import TributaryCore

extension TopicSpecification {
    /// A topic that keeps records of every age: those of these tests are from 1970, and retention runs every 30 seconds.
    static func kept(_ name: String) -> TopicSpecification {
        TopicSpecification(name, settings: ["retention.ms": "-1"])
    }
}
