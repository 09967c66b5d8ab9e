internal import TributaryCore
internal import TributaryState

/// The topics of one task by number: records carry numbers.
final class TopicRegistry: TopicNames {
    private(set) var names: [String] = []
    private var lengths: [Int] = []

    func number(_ name: String) -> Int32 {
        for index in 0..<names.count where names[index] == name { return Int32(index) }
        names.append(name)
        lengths.append(name.count)
        return Int32(names.count - 1)
    }

    func name(_ number: Int32) -> String? {
        number >= 0 && number < names.count ? names[Int(number)] : nil
    }

    func name(ofTopic number: Int32) -> String? { name(number) }

    func number(ofTopic name: String) -> Int32 { number(name) }

    func nameLength(ofTopic number: Int32) -> Int {
        number >= 0 && number < lengths.count ? lengths[Int(number)] : 0
    }
}
